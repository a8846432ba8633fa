// Package report answers: where did a parcel stand at some moment, and what was expected then?
package report

import (
	"fmt"
	"time"

	"example.org/parcels/internal/network"
	"example.org/parcels/internal/parcel"
)

// handover is what the last hub needs from arrival to delivery.
const handover = 6 * time.Hour

// Report is the standing of one parcel.
type Report struct {
	Number string
	Known  []parcel.Event // up to the moment; ends with a forecast unless the journey had ended
	Since  []parcel.Event // what has happened after it
}

// Writer reports on parcels that travel through a network.
type Writer struct {
	Network *network.Network
}

// AsOf is the standing of a parcel at a moment, and what has become of it since.
func (w Writer) AsOf(p *parcel.Parcel, moment time.Time) (Report, error) {
	known := p.Timeline.Until(moment)
	if len(known) > 0 && !known[len(known)-1].Kind.Final() {
		expected, err := w.forecast(p, known[len(known)-1])
		if err != nil {
			return Report{}, fmt.Errorf("parcel %s: %w", p.Number, err)
		}
		known = append(known, expected)
	}
	return Report{Number: p.Number, Known: known, Since: p.Timeline.After(moment)}, nil
}

// forecast is the delivery to expect if the parcel goes on from its last scan without delay.
func (w Writer) forecast(p *parcel.Parcel, last parcel.Event) (parcel.Event, error) {
	route, err := w.Network.Shortest(last.Hub, p.Destination, network.ByHours)
	if err != nil {
		return parcel.Event{}, err
	}
	at := last.At.Add(time.Duration(route.Hours())*time.Hour + handover)
	return parcel.Event{At: at, Kind: parcel.Expected, Hub: p.Destination}, nil
}
