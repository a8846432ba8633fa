// A test is a function with a name that says what holds; `tests/main.cpp` runs them all.
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

struct Test {
  std::string name;
  std::function<void()> body;
};

/// All tests, filled by the constructors of `Register` before `main` runs.
inline std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

struct Register {
  Register(std::string name, std::function<void()> body) {
    all_tests().push_back({std::move(name), std::move(body)});
  }
};

template <typename Expected, typename Actual>
void check_equal(const Expected& expected, const Actual& actual) {
  if (expected == actual) return;
  std::ostringstream text;
  text << "expected " << expected << ", got " << actual;
  throw std::logic_error(text.str());
}

template <typename Failure, typename Action>
void check_throws(const std::string& message, Action action) {
  try {
    action();
  } catch (const Failure& failure) {
    check_equal(message, std::string(failure.what()));
    return;
  }
  throw std::logic_error("nothing was thrown");
}
