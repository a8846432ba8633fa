// Package tariff answers: what does it cost?
package tariff

import (
	"fmt"
	"strings"

	"example.org/parcels/internal/network"
)

// Cents is an amount of money.
type Cents int64

func (c Cents) String() string {
	if c < 0 {
		return "-" + (-c).String()
	}
	return fmt.Sprintf("%d.%02d", c/100, c%100)
}

// share is a fraction of an amount, rounded half up to the cent.
func (c Cents) share(numerator, denominator int64) Cents {
	return Cents((int64(c)*numerator + denominator/2) / denominator)
}

// Size is the outside of a box in centimetres.
type Size struct{ Length, Width, Height int }

// ParseSize reads "40x30x20".
func ParseSize(text string) (Size, error) {
	var s Size
	var rest string
	n, _ := fmt.Sscanf(strings.ToLower(text)+" .", "%dx%dx%d %s", &s.Length, &s.Width, &s.Height, &rest)
	if n != 4 || rest != "." || s.Length <= 0 || s.Width <= 0 || s.Height <= 0 {
		return Size{}, fmt.Errorf("%q is not a size like 40x30x20", text)
	}
	return s, nil
}

// gramsPerLitre turns volume into weight: 5,000 cubic centimetres are charged like a kilogram.
const gramsPerLitre = 200

// step is the weight, in grams, by whose started multiples a parcel is charged.
const step = 500

// ChargeableGrams is the larger of scale and volumetric weight, up to the next half kilogram.
func ChargeableGrams(scale int, size Size) int {
	weight := (size.Length*size.Width*size.Height*gramsPerLitre + 999) / 1000
	if scale > weight {
		weight = scale
	}
	return (weight + step - 1) / step * step
}

// Rates are the prices of one service.
type Rates struct {
	Base, PerKg, Per100Km Cents
	FuelPermille          int64
}

// Line is one part of a price.
type Line struct {
	Name   string
	Amount Cents
}

// Quote lists what a parcel of some weight pays for a route.
func (r Rates) Quote(grams int, route network.Route) []Line {
	carriage := r.Base + r.PerKg.share(int64(grams), 1000) + r.Per100Km.share(int64(route.Km()), 100)
	lines := []Line{{"carriage", carriage}}
	if fuel := carriage.share(r.FuelPermille, 1000); fuel != 0 {
		lines = append(lines, Line{"fuel", fuel})
	}
	return lines
}

// Total adds up a quote.
func Total(lines []Line) Cents {
	var total Cents
	for _, line := range lines {
		total += line.Amount
	}
	return total
}
