#include "models/engine/paged_cache.hpp"

#include <ATen/ATen.h>

#include <map>
#include <random>

#include "models/engine/paged_attention.hpp"
#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

paged_cache small_cache(std::int64_t page_size, std::int64_t capacity, at::ScalarType type = at::kFloat) {
  return {{2, 2, 4, page_size, capacity}, at::TensorOptions().dtype(type)};
}

at::Tensor row(const paged_cache &cache, const block_table &pages, std::int64_t t) {
  const std::int64_t size = cache.shape().page_size;
  const std::int64_t page = pages[static_cast<std::size_t>(t / size)];
  if (!cache.in_blocks()) return cache.keys(1)[page][t % size];
  return at::from_blob(cache.key_blocks(1, page), {2, 4, 16}).select(2, t % size);
}

}  // namespace

TEST_CASE("a shared page is copied for whoever writes into it") {
  paged_cache cache = small_cache(4, 100);
  block_table prompt;
  cache.make_writable(prompt, 0, 6);
  REQUIRE(prompt.size() == 2);
  row(cache, prompt, 1).fill_(1.0);
  row(cache, prompt, 5).fill_(5.0);
  row(cache, prompt, 6).fill_(3.0);
  block_table sample = cache.share(prompt);
  CHECK(cache.used_pages() == 2);
  cache.make_writable(sample, 6, 7);
  cache.copy_pages();
  CHECK(cache.used_pages() == 3);
  CHECK(sample[0] == prompt[0]);
  CHECK(sample[1] != prompt[1]);
  row(cache, sample, 6).fill_(6.0);
  CHECK(row(cache, sample, 5).eq(5.0).all().item<bool>());
  CHECK(row(cache, prompt, 6).eq(3.0).all().item<bool>());
  const std::int64_t own = prompt[1];
  cache.make_writable(prompt, 6, 7);  // nobody shares it any more
  CHECK(prompt[1] == own);
  cache.release(prompt);
  CHECK(cache.used_pages() == 2);
  CHECK(row(cache, sample, 1).eq(1.0).all().item<bool>());
  cache.release(sample);
  CHECK(cache.used_pages() == 0);
}

TEST_CASE("the cache grows with what it holds, up to its capacity, and keeps its content") {
  paged_cache cache = small_cache(2, 50);
  CHECK(cache.allocated_pages() == 0);
  block_table pages;
  for (std::int64_t t = 0; t < 100; ++t) {
    cache.make_writable(pages, t, t + 1);
    row(cache, pages, t).fill_(static_cast<double>(t));
  }
  CHECK(cache.allocated_pages() == 50);
  for (std::int64_t t = 0; t < 100; ++t)
    CHECK(row(cache, pages, t).eq(static_cast<double>(t)).all().item<bool>());
  CHECK_THROWS_AS(cache.make_writable(pages, 100, 101), run_error);
  cache.release(pages);
  CHECK(cache.used_pages() == 0);
}

TEST_CASE("random sharing, writing and releasing never mixes sequences up or leaks") {
  std::mt19937 random(7);
  paged_cache cache = small_cache(3, 4000);
  std::vector<std::pair<block_table, std::vector<double>>> live;
  double stamp = 0.0;
  for (int step = 0; step < 1500; ++step) {
    const unsigned action = random() % 10;
    const std::size_t i = live.empty() ? 0 : random() % live.size();
    if (live.empty() || action == 0) {
      live.emplace_back();
    } else if (action == 1 && live.size() < 40) {
      auto copy = std::pair(cache.share(live[i].first), live[i].second);
      live.push_back(std::move(copy));
    } else if (action == 2) {
      cache.release(live[i].first);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
    } else {  // writes a few tokens, the first of them perhaps over one that is there
      auto &[pages, content] = live[i];
      const auto back = std::min<std::size_t>(content.size(), random() % 2);
      content.resize(content.size() - back);
      const auto first = static_cast<std::int64_t>(content.size());
      const auto last = first + 1 + static_cast<std::int64_t>(random() % 5);
      cache.make_writable(pages, first, last);
      cache.copy_pages();
      for (std::int64_t t = first; t < last; ++t) {
        content.push_back(stamp += 1.0);
        row(cache, pages, t).fill_(stamp);
      }
    }
    if (step % 50 != 0) continue;
    for (const auto &[pages, content] : live)
      for (std::size_t t = 0; t < content.size(); ++t)
        REQUIRE(row(cache, pages, static_cast<std::int64_t>(t))[0][0].item<double>() == content[t]);
  }
  for (auto &sequence : live) cache.release(sequence.first);
  CHECK(cache.used_pages() == 0);
}

TEST_CASE("attention by rows equals attention over gathered pages and the formula") {
  const std::int64_t heads = 4, kv = 2, dim = 4;
  paged_cache exact = small_cache(3, 100), gathered = small_cache(3, 100, at::kDouble);
  at::manual_seed(3);
  const std::vector<std::int64_t> lengths{5, 1, 8, 3};
  std::vector<block_table> tables(lengths.size()), others(lengths.size());
  std::vector<at::Tensor> seen_keys(lengths.size()), seen_values(lengths.size());
  for (int pass = 0; pass < 3; ++pass) {  // the prompts, then a token each, then another
    std::vector<cached_run> runs, runs_gathered;
    std::vector<std::int64_t> counts;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const std::int64_t first = pass == 0 ? 0 : lengths[i] + pass - 1;
      counts.push_back(pass == 0 ? lengths[i] : 1);
      exact.make_writable(tables[i], first, first + counts[i]);
      gathered.make_writable(others[i], first, first + counts[i]);
      runs.push_back({&tables[i], first, counts[i]});
      runs_gathered.push_back({&others[i], first, counts[i]});
    }
    const std::int64_t rows = pass == 0 ? 17 : 4;
    const at::Tensor q = at::randn({rows, heads, dim}), k = at::randn({rows, kv, dim});
    const at::Tensor v = at::randn({rows, kv, dim});
    const at::Tensor a = paged_attention(exact, runs).attend(1, 0, q, k, v);
    const at::Tensor b = paged_attention(gathered, runs_gathered)
                             .attend(1, 0, q.to(at::kDouble), k.to(at::kDouble), v.to(at::kDouble));
    CHECK((a - b).abs().max().item<double>() < 1e-6);
    std::int64_t first_row = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const at::Tensor mine = k.narrow(0, first_row, counts[i]), told = v.narrow(0, first_row, counts[i]);
      seen_keys[i] = pass == 0 ? mine : at::cat({seen_keys[i], mine});
      seen_values[i] = pass == 0 ? told : at::cat({seen_values[i], told});
      first_row += counts[i];
      for (std::int64_t h = 0; h < heads; ++h) {  // the last row sees everything so far
        const at::Tensor scores = seen_keys[i].select(1, h / 2).mv(q[first_row - 1][h]) / 2.0;
        const at::Tensor expected = seen_values[i].select(1, h / 2).t().mv(at::softmax(scores, 0));
        CHECK((expected - a[first_row - 1][h]).abs().max().item<double>() < 1e-6);
      }
    }
  }
}
