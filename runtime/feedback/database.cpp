#include "runtime/feedback/database.hpp"

#include <sqlite3.h>

#include "models/error.hpp"

namespace slipstream {
namespace {

[[noreturn]] void fail_database(const std::string &file, sqlite3 *connection, int code) {
  const std::string said = connection ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  if (code == SQLITE_NOTADB)
    throw input_error(file + ": error: this is no file of judgements (SQLite: " + said + ")");
  throw run_error(file + ": error: SQLite: " + said);
}

}  // namespace

void database_statement::finalizer::operator()(sqlite3_stmt *statement) const {
  sqlite3_finalize(statement);
}

void database_statement::check(int code) const {
  if (code != SQLITE_OK) fail_database(file_, connection_, code);
}

database_statement::database_statement(sqlite3 *connection, std::string file, std::string_view text)
    : connection_(connection), file_(std::move(file)) {
  sqlite3_stmt *made = nullptr;
  const int code =
      sqlite3_prepare_v2(connection_, text.data(), static_cast<int>(text.size()), &made, nullptr);
  statement_.reset(made);
  check(code);
}

database_statement &database_statement::bind(int place, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), place, value));
  return *this;
}
database_statement &database_statement::bind(int place, double value) {
  check(sqlite3_bind_double(statement_.get(), place, value));
  return *this;
}
database_statement &database_statement::bind(int place, std::string_view value) {
  check(sqlite3_bind_text64(statement_.get(), place, value.data() ? value.data() : "", value.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}
database_statement &database_statement::bind(int place, const std::optional<double> &value) {
  if (value) return bind(place, *value);
  check(sqlite3_bind_null(statement_.get(), place));
  return *this;
}

bool database_statement::next() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(statement_.get());
  if (code != SQLITE_DONE) fail_database(file_, connection_, code);
  return false;
}

std::int64_t database_statement::run() {
  while (next()) {
  }
  return sqlite3_changes64(connection_);
}

std::int64_t database_statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double database_statement::number(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}
std::string database_statement::text(int column) const {
  const auto *read = reinterpret_cast<const char *>(sqlite3_column_text(statement_.get(), column));
  return read ? std::string(read, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)))
              : std::string();
}
bool database_statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void database::closer::operator()(sqlite3 *connection) const {
  sqlite3_close_v2(connection);
}

database::database(const std::filesystem::path &file) : file_(file.string()) {
  sqlite3 *made = nullptr;
  const int code = sqlite3_open_v2(
      file_.c_str(), &made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  connection_.reset(made);
  if (code != SQLITE_OK) fail_database(file_, connection_.get(), code);
  sqlite3_busy_timeout(connection_.get(), 5000);
  execute("PRAGMA journal_mode = WAL");
  execute("PRAGMA synchronous = FULL");
  execute("PRAGMA foreign_keys = ON");
  execute("PRAGMA secure_delete = ON");  // what a person had deleted is not left in free pages
}

void database::execute(const std::string &text) {
  const int code = sqlite3_exec(connection_.get(), text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_database(file_, connection_.get(), code);
}

database_statement database::prepare(std::string_view text) const {
  return {connection_.get(), file_, text};
}

std::int64_t database::integer(std::string_view query) const {
  auto statement = prepare(query);
  return statement.next() ? statement.integer(0) : 0;
}

database::transaction::transaction(database &of) : of_(of) {
  of_.execute("BEGIN IMMEDIATE");
}

database::transaction::~transaction() {
  if (!open_) return;
  try {
    of_.execute("ROLLBACK");
  } catch (const std::exception &) {  // the connection is lost, and with it what was not committed
  }
}

void database::transaction::commit() {
  of_.execute("COMMIT");
  open_ = false;
}

}  // namespace slipstream
