package cadabra.kinesis;

import java.io.Serializable;

/**
 * What a table's options say of its stream.
 *
 * @param initialPosition TRIM_HORIZON or LATEST, for shards that are there when a job first starts.
 * @param idleMs pause after a look at all shards that found nothing.
 * @param discoveryMs between two looks for new shards.
 * @param flushMs how long a record may wait in the sink's buffer.
 */
record Settings(
        String endpoint,
        String stream,
        String initialPosition,
        long idleMs,
        long discoveryMs,
        long flushMs)
        implements Serializable {}
