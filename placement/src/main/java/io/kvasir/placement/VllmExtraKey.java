package io.kvasir.placement;

/** What vLLM hashes into a block besides its tokens. Immutable. */
public sealed interface VllmExtraKey {
  /**
   * A text: the LoRA name (every block) or the cache salt (first block only).
   *
   * @param value the text as the engine holds it
   */
  record Text(String value) implements VllmExtraKey {}

  /**
   * A multi-modal item that lies in the block, wholly or in part.
   *
   * @param identifier the item's hash
   * @param offsetTokens where the item starts relative to the block; negative if before it
   */
  record Item(String identifier, long offsetTokens) implements VllmExtraKey {}
}
