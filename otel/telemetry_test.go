package otel_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/tempconv/tempconv"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/otel"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
	"github.com/fairlead-go/fairlead/zmq"
)

// A side is a process's telemetry, and where it ends up.
type side struct {
	*otel.Telemetry
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	tracer trace.Tracer
}

func newSide(t *testing.T, o otel.Options) side {
	t.Helper()
	s := side{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))
	t.Cleanup(func() {
		if err := errors.Join(spans.Shutdown(context.Background()), metrics.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
	})
	o.TracerProvider, o.MeterProvider = spans, metrics
	var err error
	if s.Telemetry, err = otel.New(o); err != nil {
		t.Fatal(err)
	}
	s.tracer = spans.Tracer("test")
	return s
}

// options have all calls of a connection told.
func (s side) options() rpc.ConnOptions {
	return rpc.ConnOptions{Incoming: s.Intercept, Outgoing: s.Intercept}
}

// ended gives the spans when there are n of them, in the order in which they began.
func (s side) ended(t *testing.T, n int) tracetest.SpanStubs {
	t.Helper()
	until(t, func() string {
		if got := len(s.spans.GetSpans()); got < n {
			return fmt.Sprintf("%d spans ended, want %d", got, n)
		}
		return ""
	})
	spans := s.spans.GetSpans()
	if len(spans) != n {
		t.Fatalf("%d spans ended, want %d: %v", len(spans), n, spans)
	}
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return spans
}

// metrics reads all of them, each point by the attributes that are named.
func (s side) metrics(t *testing.T, by ...attribute.Key) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := s.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	name := func(metric string, set attribute.Set) string {
		for _, key := range by {
			if v, ok := set.Value(key); ok {
				metric += " " + v.AsString()
			}
		}
		return metric
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					got[name(m.Name, p.Attributes)] += float64(p.Count)
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					got[name(m.Name, p.Attributes)] += float64(p.Sum)
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					got[name(m.Name, p.Attributes)] += float64(p.Value)
				}
			default:
				t.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return got
}

func until(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for what := check(); what != ""; what = check() {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(time.Millisecond)
	}
}

func attributes(s tracetest.SpanStub) string {
	var all []string
	for _, a := range s.Attributes {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// connect joins two vats of one process, of which the server's has a capability.
func connect(t *testing.T, client, server rpc.ConnOptions) (c, s *rpc.Conn, boot rpc.Client) {
	t.Helper()
	x, y := net.Pipe()
	c = rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), client)
	s = rpc.NewConn(framing.NewPipe(y, framing.PipeOptions{}), server)
	boot = c.Bootstrap()
	t.Cleanup(func() {
		boot.Release()
		c.Close()
		s.Close()
	})
	return c, s, boot
}

var (
	ask  = rpc.Method{Interface: 0xf00, Ordinal: 3}
	size = segment.Size{DataWords: 1, Ptrs: 1}
)

// call calls with a text, and gives what it failed with.
func call(ctx context.Context, to rpc.Client, m rpc.Method, text string) error {
	r := to.NewCall(ctx, m, size)
	r.Params().SetText(0, text)
	f := r.Send()
	defer f.Release()
	_, err := f.Wait(ctx)
	return err
}

type converter struct {
	tempconv.ConverterUnimplemented
	behind rpc.Client
	fail   error
}

func (c converter) Convert(ctx context.Context, _ tempconv.ConverterConvertCall) error {
	if c.fail != nil {
		return c.fail
	}
	return call(ctx, c.behind, ask, "")
}

// Through the front door: spans on both sides, with their names, and below that of
// the handler those of the calls that it makes.
func TestSpans(t *testing.T) {
	here := newSide(t, otel.Options{Schemas: []string{tempconv.Schema}})
	there := newSide(t, otel.Options{Schemas: []string{tempconv.Schema}})
	behind := rpc.Intercept(rpc.Serve(rpc.Server{Dispatch: func(context.Context, *rpc.Call) error { return nil }}), there.Intercept)
	defer behind.Release()
	ctx, stop := context.WithCancel(t.Context())
	l, err := fairlead.Listen("tcp://127.0.0.1:0", fairlead.Options{RPC: there.options()})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.ServeRPC(ctx, tempconv.ServeConverter(converter{behind: behind}).Client) }()
	conn, err := fairlead.DialRPC(ctx, l.URL(), fairlead.Options{RPC: here.options()})
	if err != nil {
		t.Fatal(err)
	}
	c := tempconv.NewConverter(conn.Bootstrap())
	outer, span := here.tracer.Start(ctx, "outer")
	f := c.Convert(outer, nil)
	_, err = f.Wait(ctx)
	f.Release()
	span.End()
	c.Release()
	conn.Close()
	stop()
	if err := errors.Join(err, <-served); err != nil {
		t.Fatal(err)
	}

	ours, theirs := here.ended(t, 2), there.ended(t, 2)
	root, client, server, inner := ours[0], ours[1], theirs[0], theirs[1]
	port := strings.TrimPrefix(l.URL(), "tcp://127.0.0.1:")
	method := "rpc.method=Converter/convert rpc.response.status_code=ok rpc.system.name=capnproto"
	for _, tt := range []struct {
		what   string
		span   tracetest.SpanStub
		name   string
		kind   trace.SpanKind
		parent trace.SpanID
		has    string
	}{
		{"client", client, "Converter/convert", trace.SpanKindClient, root.SpanContext.SpanID(), "network.peer.address=127.0.0.1 network.peer.port=" + port + " " + method},
		{"server", server, "Converter/convert", trace.SpanKindServer, trace.SpanID{}, method},
		{"inner", inner, "capnproto", trace.SpanKindInternal, server.SpanContext.SpanID(), "rpc.method=_OTHER rpc.method_original=@0x0000000000000f00#3"},
	} {
		if s := tt.span; s.Name != tt.name || s.SpanKind != tt.kind || s.Parent.SpanID() != tt.parent || !strings.Contains(attributes(s), tt.has) ||
			s.Status.Code != codes.Unset || s.EndTime.Before(s.StartTime) {
			t.Errorf("%s: span %q, kind %v, parent %v, %s, status %v", tt.what, s.Name, s.SpanKind, s.Parent.SpanID(), attributes(s), s.Status)
		}
	}
}

// Each type of exception is a status, of spans and of metrics.
func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status string
	}{
		{nil, "ok"},
		{errors.New("broken"), "failed"},
		{fmt.Errorf("%w: later", rpc.ErrOverloaded), "overloaded"},
		{fmt.Errorf("%w: gone", rpc.ErrDisconnected), "disconnected"},
		{fmt.Errorf("%w: never", rpc.ErrUnimplemented), "unimplemented"},
	} {
		t.Run(tt.status, func(t *testing.T) {
			here, there := newSide(t, otel.Options{}), newSide(t, otel.Options{})
			_, _, boot := connect(t, here.options(), with(there.options(), rpc.Serve(rpc.Server{
				Dispatch: func(context.Context, *rpc.Call) error { return tt.err },
			})))
			if err := call(t.Context(), boot, ask, "x"); (err == nil) != (tt.err == nil) {
				t.Fatal(err)
			}
			for name, s := range map[string]side{"client": here, "server": there} {
				span := s.ended(t, 1)[0]
				if !strings.Contains(attributes(span), "rpc.response.status_code="+tt.status) ||
					(span.Status.Code == codes.Error) != (tt.err != nil) || strings.Contains(attributes(span), "error.type="+tt.status) != (tt.err != nil) {
					t.Errorf("%s: %s, %v", name, attributes(span), span.Status)
				}
				want := "rpc." + name + ".call.duration " + tt.status
				until(t, func() string {
					if got := s.metrics(t, "rpc.response.status_code"); got[want] != 1 {
						return fmt.Sprintf("%s: %v", want, got)
					}
					return ""
				})
			}
		})
	}
}

func with(o rpc.ConnOptions, bootstrap rpc.Client) rpc.ConnOptions {
	o.Bootstrap = bootstrap
	return o
}

// A parameter carries the trace, where the application has one for it; what a peer
// writes there is not believed unless it makes sense.
func TestTraceparent(t *testing.T) {
	here := newSide(t, otel.Options{})
	there := newSide(t, otel.Options{Parent: func(call rpc.CallInfo) string { return call.Params.Text(0) }})
	_, _, boot := connect(t, here.options(), with(there.options(), rpc.Serve(rpc.Server{
		Dispatch: func(context.Context, *rpc.Call) error { return nil },
	})))
	if got := otel.Traceparent(t.Context()); got != "" {
		t.Errorf("without a span the traceparent is %q", got)
	}
	ctx, span := here.tracer.Start(t.Context(), "outer")
	for _, text := range []string{otel.Traceparent(ctx), "", "00-0-0-01", strings.Repeat("x", 1<<16)} {
		if err := call(ctx, boot, ask, text); err != nil {
			t.Fatal(err)
		}
	}
	span.End()
	spans := there.ended(t, 4)
	outer := span.SpanContext()
	if s := spans[0]; s.Parent.SpanID() != outer.SpanID() || s.SpanContext.TraceID() != outer.TraceID() || !s.Parent.IsRemote() {
		t.Errorf("the parent is %v, want %v", s.Parent, outer)
	}
	for i, s := range spans[1:] {
		if s.Parent.IsValid() {
			t.Errorf("call %d has the parent %v", i+1, s.Parent)
		}
	}
}

// However many methods a peer makes up, they are one.
func TestUnknownMethods(t *testing.T) {
	there := newSide(t, otel.Options{Schemas: []string{tempconv.Schema}})
	_, _, boot := connect(t, rpc.ConnOptions{}, with(there.options(), tempconv.ServeConverter(converter{fail: errors.New("no")}).Client))
	for i := range 50 {
		if err := call(t.Context(), boot, rpc.Method{Interface: uint64(i), Ordinal: uint16(i)}, ""); !errors.Is(err, rpc.ErrUnimplemented) {
			t.Fatal(err)
		}
	}
	if err := call(t.Context(), boot, rpc.Method{Interface: tempconv.ConverterTypeID}, ""); !errors.Is(err, rpc.ErrFailed) {
		t.Fatal(err)
	}
	if err := call(t.Context(), boot, rpc.DescribeMethod, ""); err != nil {
		t.Fatal(err)
	}
	until(t, func() string {
		got := map[string]float64{}
		for name, v := range there.metrics(t, "rpc.method") {
			if m, ok := strings.CutPrefix(name, "rpc.server.call.duration "); ok {
				got[m] = v
			}
		}
		if len(got) != 3 || got["_OTHER"] != 50 || got["Converter/convert"] != 1 || got["Described/describe"] != 1 {
			return fmt.Sprint(got)
		}
		return ""
	})
}

// The counts of connections: of those that are there, and sums of those that were.
func TestConnMetrics(t *testing.T) {
	here, there := newSide(t, otel.Options{}), newSide(t, otel.Options{})
	check := func(s side, want map[string]float64) {
		t.Helper()
		until(t, func() string {
			got := s.metrics(t)
			for name, v := range want {
				if n, ok := got[name]; !ok || n != v {
					return fmt.Sprintf("%s = %v, want %v", name, n, v)
				}
			}
			return ""
		})
	}
	check(here, map[string]float64{"fairlead.rpc.connections": 0, "fairlead.rpc.calls": 0})
	for i := range 40 { // more than are remembered without looking
		n := float64(i + 1)
		held := make(chan struct{})
		c, s, boot := connect(t, here.options(), with(there.options(), rpc.Serve(rpc.Server{Dispatch: func(_ context.Context, c *rpc.Call) error {
			if c.Params().Text(0) == "hold" {
				<-held
			}
			return nil
		}})))
		there.WatchConn(s)
		r := boot.NewCall(t.Context(), ask, size)
		r.Params().SetText(0, "hold")
		f := r.Send()
		f.Done()
		check(here, map[string]float64{"fairlead.rpc.connections": 1, "fairlead.rpc.questions": 1, "fairlead.rpc.imports": 1, "fairlead.rpc.calls": n})
		check(there, map[string]float64{"fairlead.rpc.connections": 1, "fairlead.rpc.executing": 1, "fairlead.rpc.exports": 1, "fairlead.rpc.answers": 1})
		close(held)
		if _, err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Release()
		check(there, map[string]float64{"fairlead.rpc.executing": 0, "fairlead.rpc.answered": 2 * n}) // the bootstrap is one
		boot.Release()
		c.Close()
		s.Close()
		check(here, map[string]float64{"fairlead.rpc.connections": 0, "fairlead.rpc.questions": 0, "fairlead.rpc.imports": 0, "fairlead.rpc.calls": n})
	}
	if got := here.metrics(t)["rpc.client.request.size"]; got < 40*64 {
		t.Errorf("requests have %v bytes", got)
	}
	if got := there.metrics(t)["rpc.server.response.size"]; got < 40*32 {
		t.Errorf("responses have %v bytes", got)
	}
}

type pipeStats struct{ s fairlead.Stats }

func (p pipeStats) Stats() fairlead.Stats { return p.s }

type zmqStats struct{ s zmq.Stats }

func (p zmqStats) Stats() zmq.Stats { return p.s }

type shmStats struct{ s shm.Stats }

func (p shmStats) Stats() shm.Stats { return p.s }

func TestPipeMetrics(t *testing.T) {
	s := newSide(t, otel.Options{})
	stops := []func(){
		s.WatchPipe("pipe", pipeStats{fairlead.Stats{Sent: 1, SentBytes: 2, Received: 3, ReceivedBytes: 4, Copied: 5, WaitingBytes: 6, Errors: 7}}),
		s.WatchZMQ("socket", zmqStats{zmq.Stats{Sent: 11, SentBytes: 12, Received: 13, ReceivedBytes: 14, Waiting: 15, WaitingBytes: 16, Unread: 17, Dropped: 18, Errors: 19}}),
		s.WatchSHM("memory", shmStats{shm.Stats{Sent: 21, SentBytes: 22, Received: 23, ReceivedBytes: 24, Copied: 25, Waiting: 26, Held: 27, Bytes: 28, Errors: 29}}),
	}
	want := map[string][3]float64{
		"fairlead.messages.sent": {1, 11, 21}, "fairlead.bytes.sent": {2, 12, 22},
		"fairlead.messages.received": {3, 13, 23}, "fairlead.bytes.received": {4, 14, 24},
		"fairlead.messages.copied": {5, 0, 25}, "fairlead.messages.dropped": {0, 18, 0}, "fairlead.errors": {7, 19, 29},
		"fairlead.messages.waiting": {0, 15, 26}, "fairlead.bytes.waiting": {6, 16, 0},
		"fairlead.messages.held": {0, 17, 27}, "fairlead.memory": {0, 0, 28},
	}
	names := [3]string{"pipe", "socket", "memory"}
	got := s.metrics(t, "fairlead.name")
	for metric, values := range want {
		for i, v := range values {
			if n, ok := got[metric+" "+names[i]]; !ok || n != v {
				t.Errorf("%s of %s is %v, want %v", metric, names[i], n, v)
			}
		}
	}
	for _, stop := range stops {
		stop()
	}
	for name := range s.metrics(t, "fairlead.name") {
		if strings.HasSuffix(name, " pipe") || strings.HasSuffix(name, " socket") || strings.HasSuffix(name, " memory") {
			t.Errorf("%s is told of what is not watched any more", name)
		}
	}
}

// Real pipes and sockets can be watched.
var (
	_ interface{ Stats() fairlead.Stats } = fairlead.Pipe(nil)
	_ interface{ Stats() zmq.Stats }      = (*zmq.Socket)(nil)
	_ interface{ Stats() shm.Stats }      = (*shm.Pipe)(nil)
)

func TestNewRefuses(t *testing.T) {
	_, err := otel.New(otel.Options{Schemas: []string{tempconv.Schema, "\x10\x07x"}})
	if err == nil || !strings.HasPrefix(err.Error(), "otel: schema 1: ") {
		t.Errorf("error %v", err)
	}
}
