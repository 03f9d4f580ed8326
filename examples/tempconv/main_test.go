package main

import (
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/examples/internal/everyurl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTempconv(t *testing.T) {
	everyurl.Test(t, run, func(url string) []string { return []string{"serve", url} }, func(t *testing.T, url string) {
		for _, test := range []struct{ convert, want string }{
			{"100 celsius fahrenheit", "212.00 fahrenheit"},
			{"451 fahrenheit celsius", "232.78 celsius"},
			{"-40 fahrenheit celsius", "-40.00 celsius"},
			{"0 kelvin celsius", "-273.15 celsius"},
			{"20 celsius celsius", "20.00 celsius"},
		} {
			args := append([]string{"convert", url}, strings.Fields(test.convert)...)
			if got := strings.TrimSpace(everyurl.Run(t, run, args...)); got != test.want {
				t.Errorf("%s gives %s, want %s", test.convert, got, test.want)
			}
		}
		err := run(t.Context(), []string{"convert", url, "-1", "kelvin", "celsius"}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "-1 kelvin is below absolute zero") {
			t.Errorf("-1 kelvin gives %v", err)
		}
	})
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "serve", "convert tcp://127.0.0.1:1 x celsius kelvin", "convert tcp://127.0.0.1:1 1 celsius parsec"} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q gives no error", args)
		}
	}
}
