package org.apache.flink.metrics.prometheus;

import io.prometheus.client.exporter.HTTPServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Properties;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

/**
 * Flink's Prometheus reporter on 127.0.0.1 alone, on a free port that it writes into a file.
 *
 * <p>Flink's own listens on every address of the machine and has no option for that. It has to live in Flink's
 * package, for the base class is not public.
 */
public class LoopbackPrometheusReporterFactory implements MetricReporterFactory {

    @Override
    public MetricReporter createMetricReporter(Properties properties) {
        return new Reporter(Path.of(properties.getProperty("portFile")));
    }

    private static final class Reporter extends AbstractPrometheusReporter {
        private final HTTPServer server;

        Reporter(Path portFile) {
            try {
                InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
                server = new HTTPServer(address, registry, true);
                Path part = portFile.resolveSibling(portFile.getFileName() + ".part");
                Files.write(part, Integer.toString(server.getPort()).getBytes(StandardCharsets.US_ASCII));
                Files.move(part, portFile, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() {
            server.stop();
            super.close();
        }
    }
}
