package cadabra.kinesis;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.connector.sink.abilities.SupportsPartitioning;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;

/**
 * {@code 'connector' = 'kinesis'} for a local engine, with the options of Flink's own connector that this project uses.
 *
 * <p>It stands in where that one cannot be had. It talks to an endpoint on this machine and to nothing else.
 */
public final class KinesisTables implements DynamicTableSourceFactory, DynamicTableSinkFactory {
    private static final ConfigOption<String> ARN = text("stream.arn");
    private static final ConfigOption<String> ENDPOINT = text("aws.endpoint");
    private static final ConfigOption<String> POSITION = text("source.init.position");
    private static final ConfigOption<String> DELIMITER = text("sink.partitioner-field-delimiter");
    private static final ConfigOption<Duration> IDLE = duration("source.reader.empty-records-fetch-interval", 250);
    private static final ConfigOption<Duration> DISCOVERY = duration("source.shard.discovery.interval", 10_000);
    private static final ConfigOption<Long> FLUSH =
            ConfigOptions.key("sink.flush-buffer.timeout").longType().defaultValue(500L);
    /** Options of the other connector that mean nothing here. */
    private static final List<ConfigOption<String>> TAKEN =
            List.of(
                    text("aws.region"),
                    text("aws.http.protocol.version"),
                    text("aws.credentials.provider"),
                    text("aws.credentials.basic.accesskeyid"),
                    text("aws.credentials.basic.secretkey"),
                    text("source.reader.type"));

    private static ConfigOption<String> text(String key) {
        return ConfigOptions.key(key).stringType().noDefaultValue();
    }

    private static ConfigOption<Duration> duration(String key, long milliseconds) {
        return ConfigOptions.key(key).durationType().defaultValue(Duration.ofMillis(milliseconds));
    }

    @Override
    public String factoryIdentifier() {
        return "kinesis";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(ARN, FactoryUtil.FORMAT);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        List<ConfigOption<?>> options = new ArrayList<>(TAKEN);
        options.addAll(List.of(ENDPOINT, POSITION, DELIMITER, IDLE, DISCOVERY, FLUSH));
        return Set.copyOf(options);
    }

    private static Settings settings(ReadableConfig options) {
        String arn = options.get(ARN);
        String endpoint = options.getOptional(ENDPOINT)
                .orElseThrow(() -> new ValidationException(
                        "this connector stands in for Flink's own on one machine: it needs aws.endpoint"));
        return new Settings(
                endpoint,
                arn.substring(arn.lastIndexOf('/') + 1),
                options.getOptional(POSITION).orElse("LATEST"),
                options.get(IDLE).toMillis(),
                options.get(DISCOVERY).toMillis(),
                options.get(FLUSH));
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        var helper = FactoryUtil.createTableFactoryHelper(this, context);
        var format = helper.discoverDecodingFormat(DeserializationFormatFactory.class, FactoryUtil.FORMAT);
        helper.validate();
        return new Reading(settings(helper.getOptions()), format, context.getPhysicalRowDataType());
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        var helper = FactoryUtil.createTableFactoryHelper(this, context);
        var format = helper.discoverEncodingFormat(SerializationFormatFactory.class, FactoryUtil.FORMAT);
        helper.validate();
        List<String> columns = DataType.getFieldNames(context.getPhysicalRowDataType());
        List<Integer> key = context.getCatalogTable().getPartitionKeys().stream()
                .map(columns::indexOf)
                .collect(Collectors.toList());
        String delimiter = helper.getOptions().getOptional(DELIMITER).orElse("|");
        return new Writing(
                settings(helper.getOptions()), format, context.getPhysicalRowDataType(), List.copyOf(key), delimiter);
    }

    private record Reading(
            Settings settings, DecodingFormat<DeserializationSchema<RowData>> format, DataType type)
            implements ScanTableSource {
        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return SourceProvider.of(new KinesisSource<>(settings, format.createRuntimeDecoder(context, type)));
        }

        @Override
        public DynamicTableSource copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "Kinesis source (stand-in)";
        }
    }

    private record Writing(
            Settings settings,
            EncodingFormat<SerializationSchema<RowData>> format,
            DataType type,
            List<Integer> key,
            String delimiter)
            implements DynamicTableSink, SupportsPartitioning {
        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return ChangelogMode.insertOnly();
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            return SinkV2Provider.of(
                    new KinesisSink<>(settings, format.createRuntimeEncoder(context, type), keyOf(key, delimiter)));
        }

        @Override
        public void applyStaticPartition(Map<String, String> partition) {}

        @Override
        public DynamicTableSink copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "Kinesis sink (stand-in)";
        }
    }

    private static KinesisSink.KeyOf<RowData> keyOf(List<Integer> columns, String delimiter) {
        if (columns.isEmpty()) {
            return row -> UUID.randomUUID().toString();
        }
        int[] places = columns.stream().mapToInt(Integer::intValue).toArray();
        return row -> IntStream.of(places)
                .mapToObj(place -> row.getString(place).toString())
                .collect(Collectors.joining(delimiter));
    }
}
