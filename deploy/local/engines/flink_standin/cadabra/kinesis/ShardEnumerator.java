package cadabra.kinesis;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.util.FlinkRuntimeException;

/** Finds shards and gives them out, a child only after both of its parents were read to their ends. */
final class ShardEnumerator implements SplitEnumerator<ShardSplit, ShardEnumerator.State> {

    /** Which shards were given out, and which of those were read to their end. */
    record State(Set<String> given, Set<String> ended) {}

    /** A reader says that it has read this shard to its end. */
    record Ended(String shardId) implements SourceEvent {}

    private final SplitEnumeratorContext<ShardSplit> context;
    private final Settings settings;
    private final Set<String> given;
    private final Set<String> ended;
    private final Map<String, List<String>> parents = new TreeMap<>();
    private final Map<Integer, List<ShardSplit>> waiting = new HashMap<>();
    private final boolean firstStart;
    private boolean looked;
    private Engine engine;

    ShardEnumerator(SplitEnumeratorContext<ShardSplit> context, Settings settings, State restored) {
        this.context = context;
        this.settings = settings;
        this.given = new TreeSet<>(restored == null ? Set.of() : restored.given());
        this.ended = new TreeSet<>(restored == null ? Set.of() : restored.ended());
        this.firstStart = restored == null;
    }

    @Override
    public void start() {
        engine = new Engine(settings.endpoint());
        context.callAsync(this::look, this::found, 0, settings.discoveryMs());
    }

    private Map<String, List<String>> look() throws IOException {
        Map<String, List<String>> shards = new TreeMap<>();
        String next = null;
        do {
            ObjectNode body = Engine.JSON.createObjectNode();
            body.put(next == null ? "StreamName" : "NextToken", next == null ? settings.stream() : next);
            JsonNode page = engine.call("ListShards", body);
            for (JsonNode shard : page.path("Shards")) {
                List<String> above = new ArrayList<>();
                for (String name : List.of("ParentShardId", "AdjacentParentShardId")) {
                    if (shard.hasNonNull(name)) {
                        above.add(shard.get(name).asText());
                    }
                }
                shards.put(shard.get("ShardId").asText(), above);
            }
            next = page.hasNonNull("NextToken") ? page.get("NextToken").asText() : null;
        } while (next != null);
        return shards;
    }

    private void found(Map<String, List<String>> shards, Throwable failure) {
        if (failure != null) {
            throw new FlinkRuntimeException("the shards of " + settings.stream() + " cannot be listed", failure);
        }
        parents.clear();
        parents.putAll(shards);
        giveOut();
        looked = true;
    }

    /** What is new and whose parents are at their ends, or gone with their records. */
    private void giveOut() {
        for (var shard : parents.entrySet()) {
            boolean free = shard.getValue().stream().allMatch(one -> ended.contains(one) || !parents.containsKey(one));
            if (free && given.add(shard.getKey())) {
                String start = firstStart && !looked ? settings.initialPosition() : "TRIM_HORIZON";
                keep(new ShardSplit(shard.getKey(), "", start, false));
            }
        }
        send();
    }

    private void keep(ShardSplit split) {
        int reader = Math.floorMod(split.shardId().hashCode(), context.currentParallelism());
        waiting.computeIfAbsent(reader, any -> new ArrayList<>()).add(split);
    }

    private void send() {
        for (Integer reader : List.copyOf(waiting.keySet())) {
            if (context.registeredReaders().containsKey(reader)) {
                context.assignSplits(new SplitsAssignment<>(Map.of(reader, waiting.remove(reader))));
            }
        }
    }

    @Override
    public void handleSourceEvent(int reader, SourceEvent event) {
        if (event instanceof Ended one && ended.add(one.shardId())) {
            giveOut();
        }
    }

    @Override
    public void handleSplitRequest(int reader, String host) {}

    @Override
    public void addReader(int reader) {
        send();
    }

    @Override
    public void addSplitsBack(List<ShardSplit> splits, int reader) {
        splits.forEach(this::keep);
        send();
    }

    @Override
    public State snapshotState(long checkpoint) {
        Set<String> sent = new TreeSet<>(given);
        waiting.values().forEach(splits -> splits.forEach(split -> sent.remove(split.shardId())));
        return new State(sent, new TreeSet<>(ended));
    }

    @Override
    public void close() {}

    /** The state as bytes. */
    static final class Serializer implements SimpleVersionedSerializer<State> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(State state) throws IOException {
            var bytes = new ByteArrayOutputStream();
            var out = new DataOutputStream(bytes);
            for (Set<String> names : List.of(state.given(), state.ended())) {
                out.writeInt(names.size());
                for (String name : names) {
                    out.writeUTF(name);
                }
            }
            return bytes.toByteArray();
        }

        @Override
        public State deserialize(int version, byte[] bytes) throws IOException {
            var in = new DataInputStream(new ByteArrayInputStream(bytes));
            return new State(names(in), names(in));
        }

        private static Set<String> names(DataInputStream in) throws IOException {
            Set<String> names = new TreeSet<>();
            for (int left = in.readInt(); left > 0; left--) {
                names.add(in.readUTF());
            }
            return names;
        }
    }
}
