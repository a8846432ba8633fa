// Package parcel answers: what happened to a parcel, and in what order?
package parcel

import (
	"fmt"
	"strings"
	"time"
)

// Kind is a stage of a parcel's journey.
type Kind int

// The stages, in the order in which they usually happen. Expected is the only one that no hub
// reports: it stands for a forecast.
const (
	Accepted Kind = iota + 1
	Departed
	Arrived
	Customs
	OutForDelivery
	Delivered
	Returned
	Expected
)

var kindNames = map[Kind]string{
	Accepted: "ACCEPTED", Departed: "DEPARTED", Arrived: "ARRIVED", Customs: "CUSTOMS",
	OutForDelivery: "OUT_FOR_DELIVERY", Delivered: "DELIVERED", Returned: "RETURNED",
	Expected: "EXPECTED",
}

// ParseKind reads the name of a stage that hubs report.
func ParseKind(name string) (Kind, error) {
	for kind := Accepted; kind < Expected; kind++ {
		if kindNames[kind] == name {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("%q is not an event", name)
}

func (k Kind) String() string { return kindNames[k] }

// Final reports whether nothing can happen to the parcel afterwards.
func (k Kind) Final() bool { return k == Delivered || k == Returned }

// Event is one scan, or one forecast.
type Event struct {
	At   time.Time
	Kind Kind
	Hub  string
	Note string
}

func (e Event) String() string {
	kind := strings.ToLower(strings.ReplaceAll(e.Kind.String(), "_", " "))
	line := fmt.Sprintf("%s  %s  %s", e.At.Format("2006-01-02 15:04"), e.Hub, kind)
	if e.Note != "" {
		line += " (" + e.Note + ")"
	}
	return line
}
