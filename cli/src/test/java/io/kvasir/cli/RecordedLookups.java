package io.kvasir.cli;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.net.spi.InetAddressResolver;
import java.net.spi.InetAddressResolverProvider;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Records every host name that this JVM resolves, whoever asks, and then lets the JDK resolve it.
 * It is the JVM's resolver in the tests of this module (found by {@code ServiceLoader}).
 */
public final class RecordedLookups extends InetAddressResolverProvider {
  private static final Set<String> NAMES = ConcurrentHashMap.newKeySet();

  /** For the service loader. */
  public RecordedLookups() {}

  /** All names resolved so far in this JVM, sorted. Thread-safe. */
  static Set<String> names() {
    return new TreeSet<>(NAMES);
  }

  /** The names resolved so far that belong to other machines. Thread-safe. */
  static Set<String> foreignNames() throws UnknownHostException {
    Set<String> foreign = names();
    foreign.remove("localhost");
    InetAddress self = InetAddress.getLocalHost();
    foreign.remove(self.getHostName());
    foreign.remove(self.getCanonicalHostName());
    return foreign;
  }

  @Override
  public InetAddressResolver get(Configuration configuration) {
    InetAddressResolver builtin = configuration.builtinResolver();
    return new InetAddressResolver() {
      @Override
      public Stream<InetAddress> lookupByName(String host, LookupPolicy policy)
          throws UnknownHostException {
        NAMES.add(host);
        return builtin.lookupByName(host, policy);
      }

      @Override
      public String lookupByAddress(byte[] address) throws UnknownHostException {
        return builtin.lookupByAddress(address);
      }
    };
  }

  @Override
  public String name() {
    return "kvasir-recorded-lookups";
  }
}
