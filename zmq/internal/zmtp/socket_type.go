package zmtp

import "slices"

// SocketType is the value of the property Socket-Type.
type SocketType string

// The socket types of the protocol.
const (
	Pair    SocketType = "PAIR"
	Pub     SocketType = "PUB"
	Sub     SocketType = "SUB"
	XPub    SocketType = "XPUB"
	XSub    SocketType = "XSUB"
	Req     SocketType = "REQ"
	Rep     SocketType = "REP"
	Dealer  SocketType = "DEALER"
	Router  SocketType = "ROUTER"
	Push    SocketType = "PUSH"
	Pull    SocketType = "PULL"
	Client  SocketType = "CLIENT"
	Server  SocketType = "SERVER"
	Radio   SocketType = "RADIO"
	Dish    SocketType = "DISH"
	Scatter SocketType = "SCATTER"
	Gather  SocketType = "GATHER"
	Peer    SocketType = "PEER"
	Channel SocketType = "CHANNEL"
)

// partners is the table of RFC 37: who may talk to whom.
var partners = map[SocketType][]SocketType{
	Pair:    {Pair},
	Pub:     {Sub, XSub},
	Sub:     {Pub, XPub},
	XPub:    {Sub, XSub},
	XSub:    {Pub, XPub},
	Req:     {Rep, Router},
	Rep:     {Req, Dealer},
	Dealer:  {Rep, Dealer, Router},
	Router:  {Req, Dealer, Router},
	Push:    {Pull},
	Pull:    {Push},
	Client:  {Server},
	Server:  {Client},
	Radio:   {Dish},
	Dish:    {Radio},
	Scatter: {Gather},
	Gather:  {Scatter},
	Peer:    {Peer},
	Channel: {Channel},
}

// Valid tells whether t is a type that the protocol knows.
func (t SocketType) Valid() bool { return partners[t] != nil }

// Compatible tells whether a socket of type t may talk to one of type peer.
func (t SocketType) Compatible(peer SocketType) bool { return slices.Contains(partners[t], peer) }

// hasIdentity tells whether the Identity of such a peer has a meaning.
func (t SocketType) hasIdentity() bool { return t == Req || t == Dealer || t == Router }
