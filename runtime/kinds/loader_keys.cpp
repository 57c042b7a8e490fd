#include "runtime/kinds/loader_keys.hpp"

#include "runtime/kinds/kinds.hpp"

namespace slipstream {
namespace {

loader_keys read_loader(settings &s) {
  loader_keys keys;
  keys.data = read_dataset_keys(s);
  keys.shuffle = s.flag("shuffle", true);
  keys.long_lines = read_too_long(s);
  return keys;
}

void tell_loader(const loader_keys &keys, actor_facts &facts) {
  tell_dataset(keys.data, facts);
}

}  // namespace

kind_row loader_row() {
  kind_row row;
  row.name = "loader";
  row.summary = "draws rows of a JSON dataset in a shuffled order";
  row.ports.gives = port::examples;
  row.read = reader(read_loader, tell_loader);
  return row;
}

std::vector<kind_row> loader_rows() {
  return {loader_row()};
}

}  // namespace slipstream
