// Package feed answers: what do the hubs report? One scan a line:
//
//	2024-03-05T08:15:00Z|PX1001|ACCEPTED|HAM|to=VIE|note=left at the north gate
//
// After the first four fields come attributes, in any order: `to`, the hub of destination, and
// `note`. A backslash takes the character after it literally. Empty lines and lines that begin
// with `#` say nothing.
package feed

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"example.org/parcels/internal/parcel"
)

// Scan is one line of the feed.
type Scan struct {
	Number      string
	Destination string // empty where the line does not name it
	Event       parcel.Event
}

// LineError says which line of a feed cannot be read, and why.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("feed line %d: %v", e.Line, e.Err) }

func (e *LineError) Unwrap() error { return e.Err }

// ErrFields is wrapped by the error of a line that has too few fields.
var ErrFields = errors.New("expected at least 4 fields")

// Read lists the scans of a feed in its order. The error is a *LineError, or that of the reader.
func Read(source io.Reader) ([]Scan, error) {
	var scans []Scan
	lines := bufio.NewScanner(source)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		scan, err := parseScan(text)
		if err != nil {
			return nil, &LineError{number, err}
		}
		scans = append(scans, scan)
	}
	return scans, lines.Err()
}

func parseScan(text string) (Scan, error) {
	fields := split(text)
	if len(fields) < 4 {
		return Scan{}, fmt.Errorf("%w, found %d", ErrFields, len(fields))
	}
	at, err := time.Parse(time.RFC3339, fields[0])
	if err != nil {
		return Scan{}, fmt.Errorf("%q is not a time", fields[0])
	}
	kind, err := parcel.ParseKind(fields[2])
	if err != nil {
		return Scan{}, err
	}
	scan := Scan{Number: fields[1], Event: parcel.Event{At: at.UTC(), Kind: kind, Hub: fields[3]}}
	for _, attribute := range fields[4:] {
		switch name, value, _ := strings.Cut(attribute, "="); name {
		case "to":
			scan.Destination = value
		case "note":
			scan.Event.Note = value
		default:
			return Scan{}, fmt.Errorf("there is no attribute %q", name)
		}
	}
	return scan, nil
}

// split divides at unescaped bars and resolves the escapes.
func split(text string) []string {
	var fields []string
	var field strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			field.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '|':
			fields = append(fields, strings.TrimSpace(field.String()))
			field.Reset()
		default:
			field.WriteRune(r)
		}
	}
	return append(fields, strings.TrimSpace(field.String()))
}
