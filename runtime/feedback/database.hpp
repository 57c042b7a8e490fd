#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace slipstream {

/// A prepared statement. Values are bound by place, from 1, and columns are read by place, from 0. Every
/// failure throws run_error naming the file and what SQLite says.
class database_statement {
 public:
  database_statement(sqlite3 *connection, std::string file, std::string_view text);

  database_statement &bind(int place, std::int64_t value);
  database_statement &bind(int place, double value);
  database_statement &bind(int place, std::string_view value);
  database_statement &bind(int place, const std::optional<double> &value);
  /// Runs to the next row; false behind the last one, when the statement is ready to be bound again.
  bool next();
  /// Runs a statement without rows; how many rows it changed.
  std::int64_t run();

  std::int64_t integer(int column) const;
  double number(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  struct finalizer {
    void operator()(sqlite3_stmt *statement) const;
  };
  void check(int code) const;

  sqlite3 *connection_;
  std::string file_;
  std::unique_ptr<sqlite3_stmt, finalizer> statement_;
};

/// A connection to an SQLite file that writes ahead (WAL) and waits for the disk at every commit
/// (synchronous = FULL). Used by one thread at a time.
class database {
 public:
  /// Opens the file and makes it where it is absent. Waits up to 5 s for another process that writes.
  explicit database(const std::filesystem::path &file);

  void execute(const std::string &text);
  database_statement prepare(std::string_view text) const;
  std::int64_t integer(std::string_view query) const;

  /// Everything between is stored whole or not at all: it is undone unless commit() is called.
  class transaction {
   public:
    explicit transaction(database &of);
    ~transaction();
    transaction(const transaction &) = delete;
    transaction &operator=(const transaction &) = delete;
    void commit();

   private:
    database &of_;
    bool open_ = true;
  };

 private:
  struct closer {
    void operator()(sqlite3 *connection) const;
  };
  std::string file_;
  std::unique_ptr<sqlite3, closer> connection_;
};

}  // namespace slipstream
