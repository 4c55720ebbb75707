package cadabra.kinesis;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * One shard and how far it was read.
 *
 * @param after the last sequence number that was handed on; empty: none yet.
 * @param start where to begin when there is none: TRIM_HORIZON or LATEST.
 * @param ended whether it was read to its end; such a split stays in the reader's state, so that a restored enumerator
 *     is told again.
 */
record ShardSplit(String shardId, String after, String start, boolean ended) implements SourceSplit {
    @Override
    public String splitId() {
        return shardId;
    }

    ShardSplit readTo(String sequenceNumber) {
        return new ShardSplit(shardId, sequenceNumber, start, ended);
    }

    ShardSplit atEnd() {
        return new ShardSplit(shardId, after, start, true);
    }

    /** Splits as bytes. */
    static final class Serializer implements SimpleVersionedSerializer<ShardSplit> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(ShardSplit split) throws IOException {
            var bytes = new ByteArrayOutputStream();
            var out = new DataOutputStream(bytes);
            out.writeUTF(split.shardId);
            out.writeUTF(split.after);
            out.writeUTF(split.start);
            out.writeBoolean(split.ended);
            return bytes.toByteArray();
        }

        @Override
        public ShardSplit deserialize(int version, byte[] bytes) throws IOException {
            var in = new DataInputStream(new ByteArrayInputStream(bytes));
            return new ShardSplit(in.readUTF(), in.readUTF(), in.readUTF(), in.readBoolean());
        }
    }
}
