// What can go wrong?
#pragma once

#include <stdexcept>
#include <string>

namespace parcels {

/// The root of everything that the user has to put right.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Something that does not exist was asked for by its name.
class UnknownName : public Error {
 public:
  UnknownName(const std::string& what, const std::string& name)
      : Error("there is no " + what + " " + name) {}
};

/// A line of a file cannot be read.
class BadLine : public Error {
 public:
  BadLine(int line, const std::string& reason)
      : Error("line " + std::to_string(line) + ": " + reason), line_(line) {}

  int line() const noexcept { return line_; }

 private:
  int line_;
};

/// A message could not be scheduled.
class DispatchError : public Error {
 public:
  using Error::Error;
};

}  // namespace parcels
