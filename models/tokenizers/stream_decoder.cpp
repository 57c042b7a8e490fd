#include "models/tokenizers/stream_decoder.hpp"

#include <utility>

#include "models/tokenizers/utf8.hpp"

namespace slipstream {

stream_decoder::stream_decoder(std::shared_ptr<const tokenizer> text, bool keep_special)
    : text_(std::move(text)), keep_special_(keep_special) {}

std::string stream_decoder::push(std::int64_t id) {
  pending_ += text_->bytes_of(id, keep_special_);
  std::string text;
  pending_.erase(0, append_lossy(text, pending_, false));
  return text;
}

std::string stream_decoder::finish() {
  std::string text;
  append_lossy(text, pending_, true);
  pending_.clear();
  return text;
}

}  // namespace slipstream
