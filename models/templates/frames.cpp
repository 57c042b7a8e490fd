#include "models/templates/frames.hpp"

#include <map>
#include <set>

namespace slipstream::jinja {
namespace {

// The names of one body, as jinja2's idtracking has them: for those that are known, whether they are hidden.
// A branch of an "if" stands on the frame before it and holds what it adds.
class frame {
 public:
  explicit frame(const frame *outer, const frame *base = nullptr) : outer_(outer), base_(base) {}

  void load(int symbol) {
    if (!knows(symbol)) names_[symbol] = false;
  }
  void parameter(int symbol) {
    stores_.insert(symbol);
    names_[symbol] = false;
  }
  void store(int symbol) {
    stores_.insert(symbol);
    if (!has(symbol)) names_[symbol] = !(outer_ && outer_->knows(symbol));
  }
  void load_all(const expression &what) {
    if (what.what == op::name) load(what.symbol);
    for (const expression &part : what.parts) load_all(part);
  }
  void store_all(const expression &target, bool as_parameter = false) {
    if (target.what == op::attribute) return load(target.parts.front().symbol);
    if (target.what == op::name) return as_parameter ? parameter(target.symbol) : store(target.symbol);
    for (const expression &part : target.parts) store_all(part, as_parameter);
  }
  void take(const std::vector<statement> &body) {
    for (const statement &each : body) take(each);
  }
  std::vector<int> hidden() const {
    std::vector<int> all;
    for (const auto &[symbol, is_hidden] : names_)
      if (is_hidden) all.push_back(symbol);
    return all;
  }

 private:
  bool has(int symbol) const { return names_.contains(symbol) || (base_ && base_->has(symbol)); }
  bool knows(int symbol) const { return has(symbol) || (outer_ && outer_->knows(symbol)); }
  bool stored(int symbol) const { return stores_.contains(symbol) || (base_ && base_->stored(symbol)); }

  // What a statement does to the names of the body that it stands in; bodies of its own are frames of their
  // own.
  void take(const statement &what) {
    switch (what.what) {
      case act::branch:
        return take_branch(what);
      case act::loop:
        return load_all(what.expressions.front());
      case act::set:
        load_all(what.expressions.front());
        return store_all(what.targets.front());
      case act::set_block:
        return store_all(what.targets.front());
      case act::macro:
        return store(what.takes.name);
      case act::text:
      case act::generation:
        return;
      default:
        for (const expression &each : what.expressions) load_all(each);
    }
  }

  // Three branches to jinja2: the first body, all "elif" parts, each an "if" of its own, and "else".
  void take_branch(const statement &what) {
    load_all(what.arms.front().condition);
    frame body(outer_, this), others(outer_, this), last(outer_, this);
    body.take(what.arms.front().body);
    for (std::size_t i = 1; i < what.arms.size(); ++i) {
      others.load_all(what.arms[i].condition);
      frame inside(outer_, &others);
      inside.take(what.arms[i].body);
      others.merge({&inside});
    }
    last.take(what.otherwise);
    merge({&body, &others, &last});
  }

  // A name that only some branches set is looked for outside before.
  void merge(std::initializer_list<const frame *> branches) {
    std::map<int, std::size_t> counts;
    for (const frame *branch : branches)
      for (const int symbol : branch->stores_)
        if (!stored(symbol)) ++counts[symbol];
    for (const frame *branch : branches) {
      for (const auto &[symbol, is_hidden] : branch->names_) names_[symbol] = is_hidden;
      stores_.insert(branch->stores_.begin(), branch->stores_.end());
    }
    for (const auto &[symbol, count] : counts)
      if (count != 3) names_[symbol] = false;
  }

  const frame *outer_, *base_;
  std::map<int, bool> names_;
  std::set<int> stores_;
};

void visit(std::vector<statement> &body, const frame &inside);

void visit_parameters(const signature &takes, frame &inside) {
  for (const int symbol : takes.parameters) inside.parameter(symbol);
  for (const expression &each : takes.defaults) inside.load_all(each);
}

void visit_loop(statement &what, const frame &outside) {
  frame otherwise(&outside);
  otherwise.take(what.otherwise);
  what.hidden_otherwise = otherwise.hidden();
  visit(what.otherwise, otherwise);
  frame inside(&outside);
  if (what.uses_loop) inside.parameter(loop_symbol);
  inside.store_all(what.targets.front(), true);
  inside.take(what.body);
  what.hidden = inside.hidden();
  visit(what.body, inside);
}

void visit(statement &what, const frame &outside) {
  if (what.what == act::branch) {
    for (arm &each : what.arms) visit(each.body, outside);
    return visit(what.otherwise, outside);
  }
  if (what.what == act::loop) return visit_loop(what, outside);
  if (what.body.empty()) return;
  frame inside(&outside);
  if (what.what == act::macro || what.what == act::call_block) visit_parameters(what.takes, inside);
  if (what.what == act::with)
    for (const expression &each : what.targets) inside.store_all(each, true);
  inside.take(what.body);
  if (what.what == act::filter_block) inside.load_all(what.expressions.front());
  what.hidden = inside.hidden();
  visit(what.body, inside);
}

void visit(std::vector<statement> &body, const frame &inside) {
  for (statement &each : body) visit(each, inside);
}

}  // namespace

void find_hidden_names(program &of) {
  frame root(nullptr);
  root.take(of.body);
  of.hidden = root.hidden();
  visit(of.body, root);
}

}  // namespace slipstream::jinja
