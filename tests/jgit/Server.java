import java.io.File;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Collection;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.lib.RepositoryCache;
import org.eclipse.jgit.transport.Daemon;
import org.eclipse.jgit.transport.DaemonClient;
import org.eclipse.jgit.transport.ReceiveCommand;
import org.eclipse.jgit.transport.ReceivePack;
import org.eclipse.jgit.transport.resolver.FileResolver;
import org.eclipse.jgit.util.FS;

/**
 * Serves the bare repositories of a folder by JGit, over git's own protocol on a port of this machine, which is printed. Branches
 * whose name contains "refused" are refused. Ends when its standard input does.
 */
public class Server {
  public static void main(String[] arguments) throws Exception {
    FileResolver<DaemonClient> folder = new FileResolver<>(new File(arguments[0]), true);
    Daemon daemon = new Daemon(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    daemon.setRepositoryResolver(folder);
    daemon.getService("git-receive-pack").setEnabled(true);
    daemon.setReceivePackFactory((DaemonClient client, Repository repository) -> {
      ReceivePack pack = new ReceivePack(repository);
      pack.setPreReceiveHook((ReceivePack receiving, Collection<ReceiveCommand> commands) -> {
        for (ReceiveCommand command : commands) {
          if (command.getRefName().contains("refused")) {
            receiving.sendMessage("error: " + command.getRefName() + " is not for you");
            command.setResult(ReceiveCommand.Result.REJECTED_OTHER_REASON, "not for you");
          }
        }
      });
      return pack;
    });
    daemon.start();
    System.out.println(daemon.getAddress().getPort());
    System.out.flush();
    while (System.in.read() >= 0) {
      // Nothing is said there; only its end counts.
    }
    daemon.stop();
    System.exit(0);
  }
}
