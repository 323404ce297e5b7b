package io.kvasir.cli.replay;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.FilterReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * A request trace in the format Mooncake published: one JSON object a line with {@code
 * input_length} (tokens) and {@code hash_ids}, one id per 512-token block of the prompt; the same
 * id means the same prefix up to there. Other fields are ignored. Source: Mooncake, FAST'25, trace
 * release.
 */
final class Trace {
  static final int BLOCK_TOKENS = 512;

  /** A request of a million blocks, so that a file of one endless line does not fill the heap. */
  static final int LINE_CHARS_MAX = 16 << 20;

  private static final int BLOCK_ID_MAX = Integer.MAX_VALUE - 1;

  /**
   * One request.
   *
   * @param inputTokens prompt length
   * @param blockIds one id per block; the last block may be partial
   */
  record Request(int inputTokens, int[] blockIds) {
    /** Tokens in the first {@code blocks} blocks. */
    long tokensIn(int blocks) {
      return Math.min((long) blocks * BLOCK_TOKENS, inputTokens);
    }
  }

  private static final class LineTooLongException extends IOException {
    private static final long serialVersionUID = 1L;
  }

  /** Ends reading in the middle of a line that is too long. */
  private static final class LineLimit extends FilterReader {
    private int lineChars;

    LineLimit(Reader in) {
      super(in);
    }

    @Override
    public int read(char[] buffer, int offset, int length) throws IOException {
      int count = super.read(buffer, offset, length);
      for (int i = offset; i < offset + count; i++) {
        lineChars = buffer[i] == '\n' ? 0 : lineChars + 1;
        if (lineChars > LINE_CHARS_MAX) {
          throw new LineTooLongException();
        }
      }
      return count;
    }
  }

  private final List<Request> requests;

  private Trace(List<Request> requests) {
    this.requests = List.copyOf(requests);
  }

  /** Reads at most {@code limit} requests; a line that does not fit is an error that names it. */
  static Trace read(Path file, int limit) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    List<Request> requests = new ArrayList<>();
    int lineNumber = 0;
    try (BufferedReader reader = new BufferedReader(new LineLimit(Files.newBufferedReader(file)))) {
      for (String line = reader.readLine();
          line != null && requests.size() < limit;
          line = reader.readLine()) {
        lineNumber++;
        if (!line.isBlank()) {
          requests.add(parse(mapper, line, file, lineNumber));
        }
      }
    } catch (LineTooLongException e) {
      throw rejected(file, lineNumber + 1, "longer than " + LINE_CHARS_MAX + " characters");
    } catch (CharacterCodingException e) {
      throw rejected(file, lineNumber + 1, "not UTF-8, here or within a few lines");
    }
    if (requests.isEmpty()) {
      throw new IOException("KVA-0610 trace has no request - file=" + file);
    }
    return new Trace(requests);
  }

  private static Request parse(ObjectMapper mapper, String line, Path file, int lineNumber)
      throws IOException {
    JsonNode json;
    try {
      json = mapper.readTree(line);
    } catch (JsonProcessingException e) {
      throw rejected(file, lineNumber, "not JSON: " + e.getOriginalMessage());
    }
    JsonNode inputLength = json.path("input_length");
    JsonNode hashIds = json.path("hash_ids");
    if (!inputLength.canConvertToInt()
        || !inputLength.isIntegralNumber()
        || inputLength.intValue() <= 0) {
      throw rejected(file, lineNumber, "input_length must be a positive integer");
    }
    if (!hashIds.isArray() || hashIds.isEmpty()) {
      throw rejected(file, lineNumber, "hash_ids must be a list of block ids");
    }
    int blocks = (inputLength.intValue() - 1) / BLOCK_TOKENS + 1;
    if (hashIds.size() != blocks) {
      throw rejected(
          file,
          lineNumber,
          "hash_ids has "
              + hashIds.size()
              + " ids, input_length="
              + inputLength
              + " needs "
              + blocks);
    }
    int[] blockIds = new int[blocks];
    for (int i = 0; i < blocks; i++) {
      JsonNode id = hashIds.get(i);
      if (!id.isIntegralNumber()
          || !id.canConvertToInt()
          || id.intValue() < 0
          || id.intValue() > BLOCK_ID_MAX) {
        throw rejected(file, lineNumber, "hash_ids[" + i + "]=" + id + " is not a block id");
      }
      blockIds[i] = id.intValue();
    }
    return new Request(inputLength.intValue(), blockIds);
  }

  private static IOException rejected(Path file, int lineNumber, String why) {
    return new IOException(
        "KVA-0611 trace line rejected - file=" + file + " line=" + lineNumber + ": " + why);
  }

  List<Request> requests() {
    return requests;
  }

  /** Distinct blocks that the requests chosen by {@code from, from + step, …} name. */
  int distinctBlocks(int from, int step) {
    BitSet seen = new BitSet();
    for (int i = from; i < requests.size(); i += step) {
      for (int id : requests.get(i).blockIds()) {
        seen.set(id);
      }
    }
    return seen.cardinality();
  }
}
