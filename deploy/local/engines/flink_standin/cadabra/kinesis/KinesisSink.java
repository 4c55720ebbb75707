package cadabra.kinesis;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.operators.ProcessingTimeService;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/** Writes rows to a stream of a local engine: all of them before a checkpoint is done, some perhaps twice. */
final class KinesisSink<T> implements Sink<T> {
    private static final int MOST_RECORDS = 500;
    private static final int MOST_BYTES = 4_000_000;
    private static final int TRIES = 50;

    /** The partition key of a row. */
    interface KeyOf<T> extends Serializable {
        String of(T row);
    }

    private final Settings settings;
    private final SerializationSchema<T> format;
    private final KeyOf<T> key;

    KinesisSink(Settings settings, SerializationSchema<T> format, KeyOf<T> key) {
        this.settings = settings;
        this.format = format;
        this.key = key;
    }

    @Override
    public SinkWriter<T> createWriter(WriterInitContext context) throws IOException {
        try {
            format.open(context.asSerializationSchemaInitializationContext());
        } catch (Exception failure) {
            throw new IOException("the format cannot be opened", failure);
        }
        return new Writer(context.getProcessingTimeService());
    }

    private record Entry(String key, byte[] data) {}

    private final class Writer implements SinkWriter<T> {
        private final Engine engine = new Engine(settings.endpoint());
        private final ProcessingTimeService time;
        private List<Entry> waiting = new ArrayList<>();
        private int bytes;
        private boolean timerSet;

        Writer(ProcessingTimeService time) {
            this.time = time;
        }

        @Override
        public void write(T row, Context context) throws IOException {
            byte[] data = format.serialize(row);
            if (bytes + data.length > MOST_BYTES || waiting.size() == MOST_RECORDS) {
                flush(false);
            }
            waiting.add(new Entry(key.of(row), data));
            bytes += data.length;
            if (!timerSet) {
                timerSet = true;
                time.registerTimer(time.getCurrentProcessingTime() + settings.flushMs(), moment -> {
                    timerSet = false;
                    flush(false);
                });
            }
        }

        @Override
        public void flush(boolean endOfInput) throws IOException {
            for (int attempt = 1; !waiting.isEmpty(); attempt++) {
                waiting = put(waiting);
                if (!waiting.isEmpty()) {
                    if (attempt == TRIES) {
                        throw new IOException(settings.stream() + " does not take " + waiting.size() + " records");
                    }
                    Engine.pause(100);
                }
            }
            bytes = 0;
        }

        /** What the stream did not take. */
        private List<Entry> put(List<Entry> entries) throws IOException {
            ObjectNode body = Engine.JSON.createObjectNode().put("StreamName", settings.stream());
            ArrayNode records = body.putArray("Records");
            entries.forEach(one -> records.addObject().put("PartitionKey", one.key()).put("Data", one.data()));
            JsonNode results = engine.call("PutRecords", body).path("Records");
            List<Entry> left = new ArrayList<>();
            for (int at = 0; at < entries.size(); at++) {
                if (results.path(at).hasNonNull("ErrorCode")) {
                    left.add(entries.get(at));
                }
            }
            return left;
        }

        @Override
        public void close() {}
    }
}
