package network

// visit is a hub that can be reached at some cost, over some link.
type visit struct {
	hub  string
	cost int
	by   Link
}

// frontier is a heap of visits: the cheapest first, among equals the first by hub code.
type frontier []visit

func (f frontier) Len() int { return len(f) }

func (f frontier) Less(i, j int) bool {
	if f[i].cost != f[j].cost {
		return f[i].cost < f[j].cost
	}
	return f[i].hub < f[j].hub
}

func (f frontier) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

func (f *frontier) Push(x any) { *f = append(*f, x.(visit)) }

func (f *frontier) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}
