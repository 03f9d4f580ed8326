package shm_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// echoEnv makes the test program the other process of a benchmark.
const echoEnv = "FAIRLEAD_SHM_TEST_ECHO"

func TestMain(m *testing.M) {
	if what := os.Getenv(echoEnv); what != "" {
		if err := benchChild(what); err != nil {
			fmt.Fprintln(os.Stderr, "benchmark child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
