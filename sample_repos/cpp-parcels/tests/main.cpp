#include <exception>
#include <iostream>

#include "check.hpp"

int main() {
  int failed = 0;
  for (const Test& test : all_tests()) {
    try {
      test.body();
    } catch (const std::exception& error) {
      ++failed;
      std::cout << "FAILED " << test.name << ": " << error.what() << '\n';
    }
  }
  std::cout << all_tests().size() - failed << " passed, " << failed << " failed\n";
  return failed == 0 ? 0 : 1;
}
