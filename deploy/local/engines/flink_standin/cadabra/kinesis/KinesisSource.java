package cadabra.kinesis;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.source.reader.RecordEmitter;
import org.apache.flink.connector.base.source.reader.SingleThreadMultiplexSourceReaderBase;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.util.Collector;
import org.apache.flink.util.UserCodeClassLoader;

/** Reads a stream of a local engine: each record at least once, the records of a shard in their order. */
final class KinesisSource<T> implements Source<T, ShardSplit, ShardEnumerator.State>, ResultTypeQueryable<T> {
    private final Settings settings;
    private final DeserializationSchema<T> format;

    KinesisSource(Settings settings, DeserializationSchema<T> format) {
        this.settings = settings;
        this.format = format;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public TypeInformation<T> getProducedType() {
        return format.getProducedType();
    }

    @Override
    public SplitEnumerator<ShardSplit, ShardEnumerator.State> createEnumerator(
            SplitEnumeratorContext<ShardSplit> context) {
        return new ShardEnumerator(context, settings, null);
    }

    @Override
    public SplitEnumerator<ShardSplit, ShardEnumerator.State> restoreEnumerator(
            SplitEnumeratorContext<ShardSplit> context, ShardEnumerator.State state) {
        return new ShardEnumerator(context, settings, state);
    }

    @Override
    public SimpleVersionedSerializer<ShardSplit> getSplitSerializer() {
        return new ShardSplit.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<ShardEnumerator.State> getEnumeratorCheckpointSerializer() {
        return new ShardEnumerator.Serializer();
    }

    @Override
    public SourceReader<T, ShardSplit> createReader(SourceReaderContext context) throws Exception {
        format.open(new Opening(context));
        RecordEmitter<ShardReader.Read, T, Position> emitter = (read, output, position) -> {
            format.deserialize(read.data(), new Handing<>(output::collect));
            position.split = position.split.readTo(read.sequenceNumber());
        };
        return new Reader<>(() -> new ShardReader(settings), emitter, context);
    }

    /** How far a shard was read; changes with every record. */
    static final class Position {
        ShardSplit split;

        Position(ShardSplit split) {
            this.split = split;
        }
    }

    private static final class Reader<T>
            extends SingleThreadMultiplexSourceReaderBase<ShardReader.Read, T, ShardSplit, Position> {
        private final Map<String, ShardSplit> ended = new TreeMap<>();

        Reader(
                Supplier<SplitReader<ShardReader.Read, ShardSplit>> readers,
                RecordEmitter<ShardReader.Read, T, Position> emitter,
                SourceReaderContext context) {
            super(readers, emitter, new Configuration(), context);
        }

        @Override
        public void addSplits(List<ShardSplit> splits) {
            List<ShardSplit> open = new ArrayList<>();
            for (ShardSplit split : splits) {
                if (split.ended()) {
                    tell(split);
                } else {
                    open.add(split);
                }
            }
            super.addSplits(open);
        }

        @Override
        protected void onSplitFinished(Map<String, Position> finished) {
            finished.values().forEach(position -> tell(position.split.atEnd()));
        }

        /** The enumerator may have been restored from before it was told: so it is told again after every restore. */
        private void tell(ShardSplit split) {
            ended.put(split.shardId(), split);
            context.sendSourceEventToCoordinator(new ShardEnumerator.Ended(split.shardId()));
        }

        @Override
        public List<ShardSplit> snapshotState(long checkpoint) {
            List<ShardSplit> splits = new ArrayList<>(super.snapshotState(checkpoint));
            splits.addAll(ended.values());
            return splits;
        }

        @Override
        protected Position initializedState(ShardSplit split) {
            return new Position(split);
        }

        @Override
        protected ShardSplit toSplitType(String shardId, Position position) {
            return position.split;
        }
    }

    private record Opening(SourceReaderContext context) implements DeserializationSchema.InitializationContext {
        @Override
        public MetricGroup getMetricGroup() {
            return context.metricGroup();
        }

        @Override
        public UserCodeClassLoader getUserCodeClassLoader() {
            return context.getUserCodeClassLoader();
        }
    }

    private record Handing<T>(java.util.function.Consumer<T> to) implements Collector<T> {
        @Override
        public void collect(T row) {
            to.accept(row);
        }

        @Override
        public void close() {}
    }
}
