package io.kvasir.transport;

import io.kvasir.transport.codec.MessageHeaderDecoder;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/** The bounds of one received message; a view, reused for every message. */
final class MessageFrame {
  private final MessageHeaderDecoder header = new MessageHeaderDecoder();
  private DirectBuffer buffer = new UnsafeBuffer(0, 0);
  private int body;
  private int end;
  private int blockLength;
  private int templateId;
  private int version;

  /** Takes a frame; false if it has no header of our schema. */
  boolean wrap(DirectBuffer source, int offset, int length) {
    if (length < MessageHeaderDecoder.ENCODED_LENGTH) {
      return false;
    }
    header.wrap(source, offset);
    buffer = source;
    body = offset + MessageHeaderDecoder.ENCODED_LENGTH;
    end = offset + length;
    blockLength = header.blockLength();
    templateId = header.templateId();
    version = header.version();
    return header.schemaId() == MessageHeaderDecoder.SCHEMA_ID && version >= 1;
  }

  /** Whether the frame really holds its block, and the block the fields of this version. */
  boolean holds(int blockLengthMin) {
    return blockLength >= blockLengthMin && body + blockLength <= end;
  }

  DirectBuffer buffer() {
    return buffer;
  }

  int templateId() {
    return templateId;
  }

  int version() {
    return version;
  }

  int blockLength() {
    return blockLength;
  }

  int body() {
    return body;
  }

  int afterBlock() {
    return body + blockLength;
  }

  int end() {
    return end;
  }
}
