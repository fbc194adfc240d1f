package copy

import (
	"bytes"

	"manifold/engine/pgerror"
)

// split takes a line apart into fields.
func (l *loader) split(line []byte) error {
	l.fields = l.fields[:0]
	if len(l.p.columns) == 0 && len(line) == 0 {
		return nil
	}
	if l.p.o.format == formatCSV {
		return l.splitCSV(line)
	}
	o := &l.p.o
	if bytes.IndexByte(line, '\\') < 0 {
		for {
			k := bytes.IndexByte(line, o.delim)
			if k < 0 {
				l.fields = append(l.fields, field{line, string(line) == o.null})
				return nil
			}
			l.fields = append(l.fields, field{line[:k:k], string(line[:k]) == o.null})
			line = line[k+1:]
		}
	}
	for start, i := 0, 0; ; i++ {
		if i < len(line) && line[i] == '\\' {
			i++
			continue
		}
		if i >= len(line) || line[i] == o.delim {
			raw := line[start:min(i, len(line))]
			f := field{null: string(raw) == o.null}
			if !f.null {
				f.b = l.unescapeText(raw)
			}
			l.fields = append(l.fields, f)
			if i >= len(line) {
				return nil
			}
			start = i + 1
		}
	}
}

// unescapeText resolves backslashes; the result lives as long as the batch.
func (l *loader) unescapeText(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	start := len(l.unescape)
	out := l.unescape
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		if b != '\\' || i+1 >= len(raw) {
			out = append(out, b)
			continue
		}
		i++
		switch b = raw[i]; b {
		case 'b':
			b = '\b'
		case 'f':
			b = '\f'
		case 'n':
			b = '\n'
		case 'r':
			b = '\r'
		case 't':
			b = '\t'
		case 'v':
			b = '\v'
		case 'x':
			n, v := hexDigits(raw[i+1:])
			if n > 0 {
				b = v
				i += n
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v := b - '0'
			for k := 0; k < 2 && i+1 < len(raw) && raw[i+1] >= '0' && raw[i+1] <= '7'; k++ {
				i++
				v = v<<3 | (raw[i] - '0')
			}
			b = v
		}
		out = append(out, b)
	}
	l.unescape = out
	return out[start:len(out):len(out)]
}

// hexDigits reads at most two hexadecimal digits.
func hexDigits(b []byte) (n int, v byte) {
	for n < 2 && n < len(b) {
		c := b[n]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return n, v
		}
		v = v<<4 | c
		n++
	}
	return n, v
}

// splitCSV takes a line of the CSV format apart.
func (l *loader) splitCSV(line []byte) error {
	o := &l.p.o
	if bytes.IndexByte(line, o.quote) < 0 {
		for {
			k := bytes.IndexByte(line, o.delim)
			if k < 0 {
				l.addCSV(line, false)
				return nil
			}
			l.addCSV(line[:k:k], false)
			line = line[k+1:]
		}
	}
	for i := 0; ; i++ {
		start, saw := len(l.unescape), false
		out := l.unescape
		for i < len(line) && line[i] != o.delim {
			if line[i] != o.quote {
				out = append(out, line[i])
				i++
				continue
			}
			saw = true
			closed := false
			for i++; i < len(line); i++ {
				if line[i] == o.escape && i+1 < len(line) && (line[i+1] == o.quote || line[i+1] == o.escape) {
					i++
					out = append(out, line[i])
					continue
				}
				if line[i] == o.quote {
					closed = true
					i++
					break
				}
				out = append(out, line[i])
			}
			if !closed {
				return pgerror.New(pgerror.BadCopyFileFormat, "unterminated CSV quoted field")
			}
		}
		l.unescape = out
		l.addCSV(out[start:len(out):len(out)], saw)
		if i >= len(line) {
			return nil
		}
	}
}

// addCSV adds a field; the null text counts unquoted only, unless its column says otherwise.
func (l *loader) addCSV(b []byte, quoted bool) {
	o := &l.p.o
	f := field{b: b}
	if string(b) == o.null {
		name := ""
		if n := len(l.fields); n < len(l.p.columns) {
			name = l.p.columns[n].name
		}
		f.null = !quoted && !o.forceNot.has(name) || quoted && o.forceNull.has(name)
	}
	l.fields = append(l.fields, f)
}
