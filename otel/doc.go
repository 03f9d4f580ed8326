// Package otel tells OpenTelemetry of Fairlead's calls and of what its
// connections, pipes and sockets carry: spans and metrics by the conventions for
// remote procedure calls. It is a module of its own, so that only who wants it
// has its dependencies:
//
//	telemetry, err := otel.New(otel.Options{Schemas: []string{calculator.Schema}})
//	o := fairlead.Options{RPC: rpc.ConnOptions{Incoming: telemetry.Intercept, Outgoing: telemetry.Intercept}}
//	err = fairlead.ServeRPC(ctx, url, calculator.ServeCalculator(calc{}).Client, o)
//
// # Spans
//
// Each call has a span where it leaves and one where it is handled. The context of
// the handler has the span of its call, so that the calls which it makes, with its
// context, are below it.
//
// From one process to another nothing connects spans by itself: a Call of Cap'n
// Proto has no place for what it does not declare. An application that wants one
// trace through several processes declares it, as it would anything else that a
// callee has to know: a parameter for the text that [Traceparent] gives, which
// [Options].Parent finds. The span of the callee is then below the one that was
// current where the parameters were filled in, beside that of the call's way.
//
// # Names
//
// The attribute rpc.method is "Interface/method", of interfaces in
// [Options].Schemas. All others are "_OTHER", as the conventions have it, for a
// peer can make up as many as it likes; their spans have the numbers as
// rpc.method_original.
//
// # Metrics
//
//	rpc.client.call.duration, rpc.server.call.duration   seconds, by method and status
//	rpc.client.request.size, rpc.client.response.size,
//	rpc.server.request.size, rpc.server.response.size    bytes, by method
//	fairlead.rpc.*     what the connections hold, of all whose calls were seen or that are watched
//	fairlead.*         what pipes and sockets carried, by fairlead.name: see [Telemetry.WatchPipe]
package otel
