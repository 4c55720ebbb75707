package cadabra.kinesis;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.connector.base.source.reader.RecordsBySplits;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsChange;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/** Polls its shards one after another. */
final class ShardReader implements SplitReader<ShardReader.Read, ShardSplit> {

    /** One record. */
    record Read(byte[] data, String sequenceNumber) {}

    private static final int LIMIT = 1_000;

    private final Settings settings;
    private final Engine engine;
    private final Map<String, ShardSplit> splits = new LinkedHashMap<>();
    private final Map<String, String> iterators = new HashMap<>();
    private final Object idle = new Object();
    private boolean woken;

    ShardReader(Settings settings) {
        this.settings = settings;
        this.engine = new Engine(settings.endpoint());
    }

    @Override
    public RecordsWithSplitIds<Read> fetch() throws IOException {
        var found = new RecordsBySplits.Builder<Read>();
        boolean any = false;
        for (ShardSplit split : List.copyOf(splits.values())) {
            any |= poll(split, found);
        }
        if (!any) {
            rest();
        }
        return found.build();
    }

    /** One look at one shard; whether it gave anything. */
    private boolean poll(ShardSplit split, RecordsBySplits.Builder<Read> found) throws IOException {
        String shardId = split.shardId();
        ObjectNode body = Engine.JSON.createObjectNode();
        body.put("ShardIterator", iterators.containsKey(shardId) ? iterators.get(shardId) : begin(split));
        body.put("Limit", LIMIT);
        JsonNode answer;
        try {
            answer = engine.call("GetRecords", body);
        } catch (Engine.Refused refused) {
            if (!refused.type.contains("ExpiredIterator")) {
                throw refused;
            }
            iterators.remove(shardId);
            return true;
        }
        String last = split.after();
        for (JsonNode record : answer.path("Records")) {
            last = record.get("SequenceNumber").asText();
            found.add(shardId, new Read(record.get("Data").binaryValue(), last));
        }
        if (answer.hasNonNull("NextShardIterator")) {
            iterators.put(shardId, answer.get("NextShardIterator").asText());
            splits.put(shardId, split.readTo(last));
        } else {
            found.addFinishedSplit(shardId);
            iterators.remove(shardId);
            splits.remove(shardId);
            return true;
        }
        return !answer.path("Records").isEmpty();
    }

    private String begin(ShardSplit split) throws IOException {
        ObjectNode body = Engine.JSON.createObjectNode();
        body.put("StreamName", settings.stream()).put("ShardId", split.shardId());
        if (split.after().isEmpty()) {
            body.put("ShardIteratorType", split.start());
        } else {
            body.put("ShardIteratorType", "AFTER_SEQUENCE_NUMBER").put("StartingSequenceNumber", split.after());
        }
        return engine.call("GetShardIterator", body).get("ShardIterator").asText();
    }

    private void rest() {
        synchronized (idle) {
            try {
                if (!woken) {
                    idle.wait(settings.idleMs());
                }
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            woken = false;
        }
    }

    @Override
    public void handleSplitsChanges(SplitsChange<ShardSplit> change) {
        change.splits().forEach(split -> splits.put(split.shardId(), split));
    }

    @Override
    public void wakeUp() {
        synchronized (idle) {
            woken = true;
            idle.notifyAll();
        }
    }

    @Override
    public void close() {}
}
