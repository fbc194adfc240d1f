package optimize

// minMax answers min and max from the ends of an index where that is cheaper; false leaves the query to aggregation.
func (l *level) minMax(u *upper) (built, bool) { return built{}, false }
