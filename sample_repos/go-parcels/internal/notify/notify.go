// Package notify answers: who is told about an event, and when may they be disturbed?
package notify

import (
	"time"

	"example.org/parcels/internal/feed"
	"example.org/parcels/internal/parcel"
)

// Quiet is a daily span, in hours of UTC, in which nobody is disturbed: from From, up to but
// without To.
type Quiet struct{ From, To int }

// Covers reports whether a moment falls into the span.
func (q Quiet) Covers(moment time.Time) bool {
	hour := moment.Hour()
	if q.From <= q.To {
		return q.From <= hour && hour < q.To
	}
	return hour >= q.From || hour < q.To
}

// Next is the moment itself, or the end of the quiet span that it falls into.
func (q Quiet) Next(moment time.Time) time.Time {
	if !q.Covers(moment) {
		return moment
	}
	year, month, day := moment.Date()
	end := time.Date(year, month, day, q.To, 0, 0, 0, moment.Location())
	if !end.After(moment) {
		end = end.AddDate(0, 0, 1)
	}
	return end
}

// Subscription is an address that wants to hear of some kinds of events.
type Subscription struct {
	Address string
	Kinds   []parcel.Kind
}

func (s Subscription) wants(kind parcel.Kind) bool {
	for _, wanted := range s.Kinds {
		if wanted == kind {
			return true
		}
	}
	return false
}

// Message is what is sent, to whom, and not before when.
type Message struct {
	Address string
	SendAt  time.Time
	Text    string
}

// Messages lists what scans cause: in the order of the scans, then of the subscriptions.
func Messages(scans []feed.Scan, subscriptions []Subscription, quiet Quiet) []Message {
	var messages []Message
	for _, scan := range scans {
		for _, s := range subscriptions {
			if s.wants(scan.Event.Kind) {
				text := scan.Number + ": " + scan.Event.String()
				messages = append(messages, Message{s.Address, quiet.Next(scan.Event.At), text})
			}
		}
	}
	return messages
}
