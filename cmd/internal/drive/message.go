package drive

import "encoding/binary"

// Query appends a message of the simple protocol.
func Query(buf []byte, text string) []byte {
	buf = binary.BigEndian.AppendUint32(append(buf, 'Q'), uint32(len(text)+5))
	return append(append(buf, text...), 0)
}

// Prepare appends the messages that make a prepared statement.
func Prepare(buf []byte, name, text string) []byte {
	buf = binary.BigEndian.AppendUint32(append(buf, 'P'), uint32(4+len(name)+1+len(text)+1+2))
	buf = append(append(buf, name...), 0)
	buf = append(append(buf, text...), 0, 0, 0)
	return endPipeline(buf)
}

// Execute appends the messages that run a prepared statement with parameters in text.
func Execute(buf []byte, name string, params ...string) []byte {
	mark := len(buf)
	buf = append(buf, 'B', 0, 0, 0, 0, 0)
	buf = append(append(buf, name...), 0)
	buf = append(buf, 0, 0)
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(params)))
	for _, p := range params {
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(p))), p...)
	}
	buf = append(buf, 0, 0)
	binary.BigEndian.PutUint32(buf[mark+1:], uint32(len(buf)-mark-1))
	buf = append(buf, 'D', 0, 0, 0, 6, 'P', 0)
	buf = append(buf, 'E', 0, 0, 0, 9, 0, 0, 0, 0, 0)
	return endPipeline(buf)
}

func endPipeline(buf []byte) []byte { return append(buf, 'S', 0, 0, 0, 4) }

// startup appends the first packet of a connection.
func startup(buf []byte, user, database string) []byte {
	mark := len(buf)
	buf = append(buf, 0, 0, 0, 0, 0, 3, 0, 0)
	for _, s := range []string{"user", user, "database", database} {
		buf = append(append(buf, s...), 0)
	}
	buf = append(buf, 0)
	binary.BigEndian.PutUint32(buf[mark:], uint32(len(buf)-mark))
	return buf
}

// field gives the value of a field of an ErrorResponse; empty when it has none.
func field(body []byte, code byte) string {
	for len(body) > 1 {
		end := 1
		for end < len(body) && body[end] != 0 {
			end++
		}
		if body[0] == code {
			return string(body[1:end])
		}
		body = body[min(end+1, len(body)):]
	}
	return ""
}
