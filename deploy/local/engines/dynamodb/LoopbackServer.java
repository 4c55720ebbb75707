import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.ContextHandler;

/**
 * DynamoDB Local on 127.0.0.1. Its own main class binds every address and has no option for that, so the same handler
 * is put under a Jetty server of ours: in memory, one database for all regions and keys, and no telemetry.
 */
public final class LoopbackServer {
  public static void main(String[] arguments) throws Exception {
    int wantedPort = Integer.parseInt(System.getenv().getOrDefault("CADABRA_ENGINE_PORT", "0"));
    Path portFile = Path.of(System.getenv("CADABRA_ENGINE_PORT_FILE"));
    var requests = new LocalDynamoDBRequestHandler(0, true, null, true, false);
    Server server = new Server(new InetSocketAddress("127.0.0.1", wantedPort));
    server.setHandler(new ContextHandler(new LocalDynamoDBServerHandler(requests, null)));
    server.start();
    tellPort(portFile, ((ServerConnector) server.getConnectors()[0]).getLocalPort());
    server.join();
  }

  private static void tellPort(Path portFile, int port) throws IOException {
    Path part = portFile.resolveSibling(portFile.getFileName() + ".part");
    Files.writeString(part, port + "\n");
    Files.move(part, portFile, StandardCopyOption.ATOMIC_MOVE);
  }
}
