package io.kvasir.node.index;

import java.io.Serializable;
import java.util.Objects;
import java.util.UUID;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.plugin.CachePluginContext;
import org.apache.ignite.plugin.CachePluginProvider;
import org.apache.ignite.plugin.ExtensionRegistry;
import org.apache.ignite.plugin.IgnitePlugin;
import org.apache.ignite.plugin.PluginConfiguration;
import org.apache.ignite.plugin.PluginContext;
import org.apache.ignite.plugin.PluginProvider;
import org.apache.ignite.plugin.PluginValidationException;
import org.jspecify.annotations.Nullable;

/**
 * Refuses nodes that do not belong here, before they are part of the ring. The oldest member asks;
 * the refused node gets the reason.
 */
final class JoinCheck implements PluginProvider<PluginConfiguration> {
  /** Passes by itself when the other one is this node's last life, not yet missed by the ring. */
  static final String DUPLICATE_NODE_ID = "KVA-0306";

  private static final class Plugin implements IgnitePlugin {}

  private final String clusterName;
  private final int protocolVersion;
  private final Plugin plugin = new Plugin();
  private volatile @Nullable PluginContext context;

  JoinCheck(final String clusterName, final int protocolVersion) {
    this.clusterName = clusterName;
    this.protocolVersion = protocolVersion;
  }

  @Override
  @SuppressWarnings("deprecation") // abstract in Ignite 2.18, and called by its successor
  public void validateNewNode(final ClusterNode node) {
    final @Nullable String refusal = refusal(node);
    if (refusal != null) {
      throw new PluginValidationException(
          "refused " + node.addresses() + ": " + refusal, refusal, node.id());
    }
  }

  private @Nullable String refusal(final ClusterNode node) {
    final Object version = node.attribute(MemberAttributes.PROTOCOL);
    if (version == null) {
      return "KVA-0303 join refused - not a Kvasir node";
    }
    if (!version.equals(protocolVersion)) {
      return "KVA-0304 join refused - protocol="
          + version
          + " (cluster="
          + protocolVersion
          + "); run one release of Kvasir on all nodes of a cluster";
    }
    final Object cluster = node.attribute(MemberAttributes.CLUSTER);
    if (!clusterName.equals(cluster)) {
      return "KVA-0305 join refused - cluster.name="
          + cluster
          + " (this cluster="
          + clusterName
          + "); correct cluster.name or cluster.seeds";
    }
    final PluginContext members = context;
    final Object nodeId = node.attribute(MemberAttributes.NODE_ID);
    if (members != null
        && members.nodes().stream()
            .anyMatch(
                member ->
                    !member.id().equals(node.id())
                        && Objects.equals(nodeId, member.attribute(MemberAttributes.NODE_ID)))) {
      return DUPLICATE_NODE_ID
          + " join refused - node id is in use, nodeId="
          + nodeId
          + "; stop the other node, or give this one a run directory of its own";
    }
    return null;
  }

  @Override
  public void start(final PluginContext pluginContext) {
    context = pluginContext;
  }

  @Override
  public String name() {
    return "kvasir";
  }

  @Override
  public String version() {
    return Integer.toString(protocolVersion);
  }

  @Override
  public String copyright() {
    return "";
  }

  @Override
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // Ignite's signature
  public <T extends IgnitePlugin> T plugin() {
    return (T) plugin;
  }

  @Override
  public void initExtensions(final PluginContext pluginContext, final ExtensionRegistry registry) {}

  @Override
  public <T> @Nullable T createComponent(final PluginContext pluginContext, final Class<T> type) {
    return null;
  }

  @Override
  @SuppressWarnings("rawtypes") // Ignite's signature
  public @Nullable CachePluginProvider createCacheProvider(final CachePluginContext cacheContext) {
    return null;
  }

  @Override
  public void stop(final boolean cancel) {}

  @Override
  public void onIgniteStart() {}

  @Override
  public void onIgniteStop(final boolean cancel) {}

  @Override
  public @Nullable Serializable provideDiscoveryData(final UUID nodeId) {
    return null;
  }

  @Override
  public void receiveDiscoveryData(final UUID nodeId, final Serializable data) {}
}
