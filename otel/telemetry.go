package otel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/schema"
)

// scope is the name of the instrumentation.
const scope = "github.com/fairlead-go/fairlead/otel"

// system is what rpc.system.name says: the protocol, whoever the peer is.
const system = "capnproto"

// otherMethod is what the conventions call a method that is not known.
const otherMethod = "_OTHER"

// Options says what is told to whom. The zero value is useful.
type Options struct {
	// TracerProvider and MeterProvider are told; nil are the global ones.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Schemas name methods: the constants Schema of packages of generated code.
	Schemas []string
	// Parent, if it is not nil, finds in the parameters of a peer's call what
	// [Traceparent] gave its caller; "" if there is nothing. What is no traceparent
	// counts as nothing.
	Parent func(call rpc.CallInfo) string
}

// Telemetry tells of calls, connections, pipes and sockets. All methods may be
// called from any goroutine.
type Telemetry struct {
	tracer trace.Tracer
	names  *schema.Registry
	parent func(call rpc.CallInfo) string

	client, server instruments
	methods        sync.Map // of rpc.Method: *method
	other          *method  // those without a name
	conns          conns
	pipes          pipes
}

// instruments are what calls of one direction are measured with.
type instruments struct {
	duration          metric.Float64Histogram
	request, response metric.Int64Histogram
}

// New starts telling. The error is that of a schema, or of the meter.
func New(o Options) (*Telemetry, error) {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	t := &Telemetry{
		tracer: o.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		names:  schema.NewRegistry(),
		parent: o.Parent,
		other:  newMethod(otherMethod),
	}
	for i, packed := range o.Schemas {
		req, err := schema.Unpack(packed)
		if err == nil {
			err = t.names.Add(req.Nodes...)
		}
		if err != nil {
			return nil, fmt.Errorf("otel: schema %d: %w", i, err)
		}
	}
	t.other.span = system
	m := o.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	err := errors.Join(
		t.client.make(m, "client", "outgoing"), t.server.make(m, "server", "incoming"),
		t.conns.register(m), t.pipes.register(m),
	)
	if err != nil {
		return nil, fmt.Errorf("otel: %w", err)
	}
	return t, nil
}

// seconds are the bounds of the durations' buckets: those of the conventions, and
// below them those that calls within a machine need.
var seconds = []float64{
	1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3,
	0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
}

func (i *instruments) make(m metric.Meter, side, direction string) (err error) {
	var errs [3]error
	i.duration, errs[0] = m.Float64Histogram("rpc."+side+".call.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of "+direction+" calls."), metric.WithExplicitBucketBoundaries(seconds...))
	i.request, errs[1] = m.Int64Histogram("rpc."+side+".request.size", metric.WithUnit("By"),
		metric.WithDescription("Size of the messages of "+direction+" calls."))
	i.response, errs[2] = m.Int64Histogram("rpc."+side+".response.size", metric.WithUnit("By"),
		metric.WithDescription("Size of the messages that answer "+direction+" calls."))
	return errors.Join(errs[:]...)
}

// Intercept is an [rpc.Interceptor]: for rpc.ConnOptions, as Incoming as well as
// Outgoing, and for rpc.Intercept.
func (t *Telemetry) Intercept(ctx context.Context, call rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
	began := time.Now()
	t.conns.saw(call.Conn)
	m := t.method(call)
	kind, on := trace.SpanKindClient, &t.client
	switch {
	case call.Incoming:
		kind, on = trace.SpanKindServer, &t.server
		if t.parent != nil {
			ctx = withParent(ctx, t.parent(call))
		}
	case call.Conn == nil:
		kind = trace.SpanKindInternal
	}
	ctx, span := t.tracer.Start(ctx, m.span, trace.WithSpanKind(kind), trace.WithTimestamp(began), trace.WithAttributes(m.attributes...))
	if span.IsRecording() {
		if m == t.other {
			span.SetAttributes(semconv.RPCMethodOriginal(call.Method.String()))
		}
		span.SetAttributes(peer(call.Conn)...)
	}
	return ctx, func(o rpc.Outcome) {
		ended := time.Now()
		status := statusOf(o.Err)
		if span.IsRecording() {
			span.SetAttributes(semconv.RPCResponseStatusCode(status))
			if o.Err != nil {
				span.SetAttributes(semconv.ErrorTypeKey.String(status))
				span.SetStatus(codes.Error, o.Err.Error())
			}
		}
		span.End(trace.WithTimestamp(ended))
		on.duration.Record(ctx, ended.Sub(began).Seconds(), m.outcomes[status])
		on.request.Record(ctx, call.Bytes, m.sizes)
		if o.Bytes > 0 {
			on.response.Record(ctx, o.Bytes, m.sizes)
		}
	}, nil
}

// statusOf names how a call ended, as the protocol does.
func statusOf(err error) string {
	if err == nil {
		return "ok"
	}
	var e *rpc.Exception
	if errors.As(err, &e) {
		return e.Type.String()
	}
	return rpc.Failed.String()
}

// peer tells who is at the other end of a connection, of the front door's.
func peer(c *rpc.Conn) []attribute.KeyValue {
	p, ok := fairlead.PeerOf(c)
	if !ok || p.Addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		return []attribute.KeyValue{semconv.NetworkPeerAddress(p.Addr)}
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return []attribute.KeyValue{semconv.NetworkPeerAddress(p.Addr)}
	}
	return []attribute.KeyValue{semconv.NetworkPeerAddress(host), semconv.NetworkPeerPort(n)}
}

// traceContext is the text of W3C's recommendation.
var traceContext propagation.TraceContext

const traceparent = "traceparent"

// Traceparent gives the current span of ctx as W3C's traceparent has it, for a
// parameter of a call; "" if there is none. See [Options].Parent.
func Traceparent(ctx context.Context) string {
	m := propagation.MapCarrier{}
	traceContext.Inject(ctx, m)
	return m[traceparent]
}

func withParent(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return traceContext.Extract(ctx, propagation.MapCarrier{traceparent: parent})
}
