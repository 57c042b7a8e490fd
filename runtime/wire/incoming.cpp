#include "runtime/wire/incoming.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "models/error.hpp"
#include "runtime/plumbing/say.hpp"

namespace slipstream::wire {
namespace {

constexpr std::size_t remembered_servers = 16;

bool unused(const at::Tensor &memory) {
  return memory.use_count() == 1 && memory.storage().use_count() == 1;
}

}  // namespace

incoming::verdict incoming::judge(const offer_text &offer, std::int64_t version) const {
  const auto elements = static_cast<std::int64_t>(offer.elements);
  if (elements_ > 0 && elements != elements_)
    throw run_error("error: the server's model \"" + offer.model + "\" has " +
                    std::to_string(offer.elements) + " trained parameters, the one here " +
                    std::to_string(elements_) +
                    ": both sides need the same topology and the same files of the model");
  if (elements < 1 || elements > max_elements_) throw wire_error("an offer of an unreasonable size");
  if (offer.chunk_bytes < 4096 || offer.chunk_bytes > 1 << 24 || offer.chunk_bytes % 4096 != 0)
    throw wire_error("an offer with unreasonable chunks");
  if (version < 0) throw wire_error("an offer of a version below 0");
  if (offer.origin == origin_ && version <= version_)
    throw wire_error("an offer of a version that is not newer");
  const bool superseded = std::find(left_.begin(), left_.end(), offer.origin) != left_.end();
  const bool cancelled = offer.origin == cancelled_origin_ && version <= cancelled_version_;
  return superseded || cancelled ? verdict::decline : verdict::take;
}

source_ptr incoming::begin(const offer_text &offer, std::int64_t version, std::int64_t &resumed) {
  resumed = 0;
  if (partial_ && partial_->continues(offer, version)) {
    resumed = partial_->chunks() - partial_->missing();
    return partial_;
  }
  partial_ = nullptr;
  base_ = newest_;
  at::Tensor memory;
  const auto file = spooled(static_cast<std::int64_t>(offer.elements));
  if (file) {
    memory = spooled_tensor(file, static_cast<std::int64_t>(offer.elements));
  } else if (newest_ && newest_->elements() == static_cast<std::int64_t>(offer.elements) &&
             forgotten(newest_)) {
    memory = newest_->value().flat;  // each chunk overwrites the one that it replaces: no second buffer
    newest_ = nullptr;
  } else {
    memory = room(static_cast<std::int64_t>(offer.elements));
  }
  partial_ =
      std::make_shared<version_source>(weight_version{offer.model, version, memory, offer.last}, offer.origin,
                                       static_cast<wire_type>(offer.type), offer.chunk_bytes, false, file);
  return partial_;
}

/// Whether nobody but this class holds a version's memory: one tensor in the pool, one in the version.
bool incoming::forgotten(const source_ptr &version) const {
  const auto &flat = version->value().flat;
  const bool ours =
      std::any_of(pool_.begin(), pool_.end(), [&](const at::Tensor &memory) { return memory.is_same(flat); });
  return !passes_on_ && ours && flat.use_count() == 2 && flat.storage().use_count() == 1;
}

want_text incoming::want() const {
  want_text text;
  if (partial_->missing() < partial_->chunks()) text.have = partial_->bitmap();
  const auto known =
      [](const source_ptr &source) {  // a version that came through shared memory has no checksums here
        const auto &flags = source->table()->known;
        return std::find(flags.begin(), flags.end(), false) == flags.end();
      };
  if (base_ && partial_->comparable(*base_) && known(base_)) text.base = base_->value().version;
  return text;
}

void incoming::remember(const unique_id &origin, std::int64_t version) {
  if (origin != origin_ && version_ >= 0) {
    left_.push_back(origin_);
    if (left_.size() > remembered_servers) left_.pop_front();
  }
  origin_ = origin, version_ = version;
}

void incoming::finish() {
  newest_ = std::move(partial_);
  partial_ = base_ = nullptr;
  remember(newest_->origin(), newest_->value().version);
}

void incoming::finish(const unique_id &origin, std::int64_t version, source_ptr kept) {
  partial_ = base_ = nullptr;
  newest_ = std::move(kept);
  remember(origin, version);
}

void incoming::cancel() {
  if (!partial_) return;
  cancelled_origin_ = partial_->origin(), cancelled_version_ = partial_->value().version;
  partial_ = base_ = nullptr;
}

held_version incoming::held() const {
  return {static_cast<std::uint64_t>(elements_), origin_, version_};
}

/// Returns memory that nobody reads: a free buffer of the pool, or else a new one. The pool lets go of all
/// other free buffers.
at::Tensor incoming::room(std::int64_t elements) {
  at::Tensor found;
  for (const auto &memory : pool_)
    if (memory.numel() == elements && unused(memory)) found = memory;
  std::erase_if(pool_, [&](const at::Tensor &memory) { return unused(memory); });
  if (!found.defined()) pool_.push_back(found = at::empty({elements}, at::kFloat));
  return found;
}

/// Returns a file for the arriving version. Returns null where the version shall arrive in memory: without a
/// spool, or where the disk is full, which is reported once.
std::shared_ptr<spool_file> incoming::spooled(std::int64_t elements) {
  if (spool_.empty()) return nullptr;
  const auto bytes = static_cast<std::size_t>(elements) * sizeof(float);
  try {
    auto file = std::make_shared<spool_file>(spool_, bytes);
    spool_full_ = false;
    return file;
  } catch (const run_error &problem) {
    if (!std::exchange(spool_full_, true))
      say("warning: weights of " + std::to_string(bytes >> 20) + " MB arrive in memory, not in \"" + spool_ +
          "\": " + problem.what() + "\n");
    return nullptr;
  }
}

void slot_returns::give(std::uint64_t connection, std::uint64_t slot) {
  const std::lock_guard lock(mutex_);
  if (!wake_) return;
  given_.emplace_back(connection, slot);
  wake_();
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> slot_returns::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(given_, {});
}

void slot_returns::close() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

at::Tensor mapped_tensor(std::shared_ptr<const mapped_slot> memory, std::int64_t elements,
                         std::shared_ptr<slot_returns> returns, std::uint64_t connection,
                         std::uint64_t slot) {
  void *data = memory->data();
  const auto give_back = [memory = std::move(memory), returns = std::move(returns), connection,
                          slot](void *) { returns->give(connection, slot); };
  return at::from_blob(data, {elements}, give_back, at::TensorOptions(at::kFloat));
}

}  // namespace slipstream::wire
