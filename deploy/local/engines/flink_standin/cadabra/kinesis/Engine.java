package cadabra.kinesis;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/** Calls a local Kinesis engine; its signature is not checked there, so that none is made. */
final class Engine {
    private static final String CREDENTIAL =
            "AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/kinesis/aws4_request,"
                    + " SignedHeaders=host;x-amz-date, Signature=00";
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final int TRIES = 5;
    static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT).build();
    private final URI endpoint;

    Engine(String endpoint) {
        this.endpoint = URI.create(endpoint);
    }

    /** An error that the engine answered with; {@code type} is the service's name of it. */
    static final class Refused extends IOException {
        final String type;

        Refused(String type, String operation, int status) {
            super(operation + " was answered with " + status + " " + type);
            this.type = type;
        }
    }

    /** One call; what is the engine's own fault, or a throttle, is tried again a few times. */
    JsonNode call(String operation, ObjectNode body) throws IOException {
        for (int attempt = 1; ; attempt++) {
            try {
                return once(operation, body);
            } catch (Refused refused) {
                boolean passing = refused.type.contains("Throughput") || refused.type.contains("LimitExceeded")
                        || refused.type.contains("Internal");
                if (!passing || attempt == TRIES) {
                    throw refused;
                }
                pause(attempt * 200L);
            }
        }
    }

    private JsonNode once(String operation, ObjectNode body) throws IOException {
        HttpRequest request = HttpRequest.newBuilder(endpoint)
                .timeout(TIMEOUT)
                .header("Content-Type", "application/x-amz-json-1.1")
                .header("X-Amz-Target", "Kinesis_20131202." + operation)
                .header("X-Amz-Date", "20240101T000000Z")
                .header("Authorization", CREDENTIAL)
                .POST(HttpRequest.BodyPublishers.ofByteArray(JSON.writeValueAsBytes(body)))
                .build();
        try {
            var answer = http.send(request, BodyHandlers.ofByteArray());
            JsonNode document = answer.body().length == 0 ? JSON.createObjectNode() : JSON.readTree(answer.body());
            if (answer.statusCode() != 200) {
                throw new Refused(document.path("__type").asText("InternalFailure"), operation, answer.statusCode());
            }
            return document;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException(operation + " was interrupted", interrupted);
        }
    }

    static void pause(long milliseconds) throws IOException {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", interrupted);
        }
    }
}
