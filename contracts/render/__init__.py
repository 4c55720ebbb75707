"""One tiny module per target: a catalogue in, the text of a file out. Targets do not know each other."""
