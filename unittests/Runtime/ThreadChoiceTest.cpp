// Which way a session's runs go after both were tried.
#include "ThreadChoice.h"

#include <gtest/gtest.h>

using namespace onnxc;

namespace {

/// Runs, with the times that both ways take; how many of them used the pool.
int sharedRuns(ThreadChoice &choice, int runs, int64_t sharedNs, int64_t aloneNs, int64_t work = 1000) {
  int count = 0;
  for (int i = 0; i < runs; ++i) {
    bool shared = choice.begin();
    count += shared;
    choice.end(shared, shared ? sharedNs : aloneNs, work);
  }
  return count;
}

TEST(ThreadChoice, KeepsTheFasterWay) {
  ThreadChoice gains, loses;
  EXPECT_GT(sharedRuns(gains, 1000, 100, 180), 950);
  EXPECT_LT(sharedRuns(loses, 1000, 180, 100), 50);
}

TEST(ThreadChoice, FindsOutWhenTheMachineChanges) {
  ThreadChoice choice;
  sharedRuns(choice, 1000, 180, 100);
  sharedRuns(choice, 5000, 100, 180);
  EXPECT_GT(sharedRuns(choice, 1000, 100, 180), 950);
}

TEST(ThreadChoice, LongRunsAndThoseWithoutSharedWorkAreNotTried) {
  ThreadChoice longRuns, serial;
  EXPECT_EQ(sharedRuns(longRuns, 100, 50000000, 1), 100);
  EXPECT_EQ(sharedRuns(serial, 100, 100, 1, 0), 100);
}

} // namespace
