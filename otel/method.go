package otel

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/schema"
)

// A method has what is the same for all of its calls.
type method struct {
	span       string // the name of its spans
	attributes []attribute.KeyValue
	sizes      metric.MeasurementOption
	outcomes   map[string]metric.MeasurementOption
}

// statuses are all that statusOf gives.
var statuses = []string{"ok", rpc.Failed.String(), rpc.Overloaded.String(), rpc.Disconnected.String(), rpc.Unimplemented.String()}

// method finds what is known of the method of a call. All that have no name share
// one: peers can come up with any number of them.
func (t *Telemetry) method(call rpc.CallInfo) *method {
	if m, ok := t.methods.Load(call.Method); ok {
		return m.(*method)
	}
	path, name, known := t.names.MethodName(schema.ID(call.Method.Interface), call.Method.Ordinal)
	switch {
	case known:
		name = path + "/" + name
	case call.Method == rpc.DescribeMethod:
		name = "Described/describe"
	default:
		return t.other
	}
	m, _ := t.methods.LoadOrStore(call.Method, newMethod(name))
	return m.(*method)
}

func newMethod(name string) *method {
	all := []attribute.KeyValue{semconv.RPCSystemNameKey.String(system), semconv.RPCMethod(name)}
	m := &method{
		span:       name,
		attributes: all,
		sizes:      metric.WithAttributeSet(attribute.NewSet(all...)),
		outcomes:   make(map[string]metric.MeasurementOption, len(statuses)),
	}
	for _, status := range statuses {
		set := append(all[:len(all):len(all)], semconv.RPCResponseStatusCode(status))
		if status != "ok" {
			set = append(set, semconv.ErrorTypeKey.String(status))
		}
		m.outcomes[status] = metric.WithAttributeSet(attribute.NewSet(set...))
	}
	return m
}
