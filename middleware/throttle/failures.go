package throttle

import (
	"time"
)

// failures are the failures of one pair.
type failures struct {
	level  float64 // number of failures that have not expired
	last   time.Time
	blocks int // number of blocks so far
	until  time.Time
	tried  bool // an attempt after a block is under way
}

// note counts a failure. Attempts that began before a block may fail during it. They
// raise the level, but do not prolong the block.
func (f *failures) note(now time.Time, cfg Config) {
	if f.over(now, cfg) {
		*f = failures{}
	}
	f.level = f.levelAt(now, cfg) + 1
	f.last = now
	if !now.Before(f.until) && (f.blocks > 0 || f.level > float64(cfg.Failures)) {
		f.until = now.Add(min(firstBlock<<min(f.blocks, 20), longestBlock))
		f.blocks++
	}
}

func (f *failures) levelAt(now time.Time, cfg Config) float64 {
	return max(0, f.level-float64(cfg.Failures)*float64(now.Sub(f.last))/float64(cfg.Window))
}

// over reports whether all failures have expired and the last block ended more than a
// Window ago.
func (f *failures) over(now time.Time, cfg Config) bool {
	return f.levelAt(now, cfg) == 0 && (f.blocks == 0 || now.Sub(f.until) > cfg.Window)
}
