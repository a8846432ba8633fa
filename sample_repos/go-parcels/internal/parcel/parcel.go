package parcel

// Parcel is a parcel and everything that is known to have happened to it.
type Parcel struct {
	Number      string
	Destination string // hub code; empty until the parcel was accepted
	Timeline    Timeline
}

// Finished reports whether the parcel was delivered or went back.
func (p *Parcel) Finished() bool {
	latest, ok := p.Timeline.Latest()
	return ok && latest.Kind.Final()
}
