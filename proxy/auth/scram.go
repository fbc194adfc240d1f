package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
)

// Mechanism is the name under which the exchange is offered.
const Mechanism = "SCRAM-SHA-256"

const (
	saltSize          = 16
	nonceSize         = 18
	defaultIterations = 4096
	verifierPrefix    = "SCRAM-SHA-256$"
)

// Verifier is what a role keeps instead of its password.
type Verifier struct {
	Iterations int
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

// NewVerifier makes a verifier with a random salt.
func NewVerifier(password string) (Verifier, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return Verifier{}, pgerror.Internal(err)
	}
	return derive(password, salt, defaultIterations)
}

func derive(password string, salt []byte, iterations int) (Verifier, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return Verifier{}, pgerror.Internal(err)
	}
	stored := sha256.Sum256(mac(salted, []byte("Client Key")))
	return Verifier{Iterations: iterations, Salt: salt, StoredKey: stored[:], ServerKey: mac(salted, []byte("Server Key"))}, nil
}

// ParseVerifier reads the form of pg_authid.rolpassword; false when it is none of SCRAM-SHA-256.
func ParseVerifier(text string) (Verifier, bool) {
	rest, ok := strings.CutPrefix(text, verifierPrefix)
	if !ok {
		return Verifier{}, false
	}
	head, keys, ok1 := strings.Cut(rest, "$")
	count, salt, ok2 := strings.Cut(head, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	if !ok1 || !ok2 || !ok3 {
		return Verifier{}, false
	}
	var v Verifier
	var errs [4]error
	v.Iterations, errs[0] = strconv.Atoi(count)
	v.Salt, errs[1] = base64.StdEncoding.DecodeString(salt)
	v.StoredKey, errs[2] = base64.StdEncoding.DecodeString(stored)
	v.ServerKey, errs[3] = base64.StdEncoding.DecodeString(server)
	for _, err := range errs {
		if err != nil {
			return Verifier{}, false
		}
	}
	return v, v.Iterations > 0 && len(v.StoredKey) == sha256.Size && len(v.ServerKey) == sha256.Size
}

// String gives the form of pg_authid.rolpassword.
func (v Verifier) String() string {
	enc := base64.StdEncoding.EncodeToString
	return verifierPrefix + strconv.Itoa(v.Iterations) + ":" + enc(v.Salt) + "$" + enc(v.StoredKey) + ":" + enc(v.ServerKey)
}

// Secret makes the salts of roles that do not exist look like those of roles that do: the same at every try.
type Secret [32]byte

// NewSecret gives a random secret.
func NewSecret() (Secret, error) {
	var s Secret
	if _, err := rand.Read(s[:]); err != nil {
		return s, pgerror.Internal(err)
	}
	return s, nil
}

// Exchange is the server's side of one SCRAM exchange: First, then Final.
type Exchange struct {
	verifier  Verifier
	doomed    bool
	gs2       string // the client's header, base64
	firstBare []byte
	first     []byte // ours
	nonce     string
}

// NewExchange begins an exchange with what the role keeps. When that is no verifier the exchange runs all the same, and
// fails at its end.
func NewExchange(user, password string, secret Secret) *Exchange {
	v, ok := ParseVerifier(password)
	if !ok {
		v = Verifier{Iterations: defaultIterations, Salt: mac(secret[:], []byte(user))[:saltSize],
			StoredKey: make([]byte, sha256.Size), ServerKey: make([]byte, sha256.Size)}
	}
	return &Exchange{verifier: v, doomed: !ok}
}

func malformed(detail string) error {
	return pgerror.New(pgerror.ProtocolViolation, "malformed SCRAM message").WithDetail("%s", detail)
}

// First reads client-first-message and gives server-first-message.
func (x *Exchange) First(msg []byte) ([]byte, error) {
	if bytes.IndexByte(msg, 0) >= 0 || len(msg) == 0 {
		return nil, malformed("Message length does not match input length.")
	}
	switch msg[0] {
	case 'n', 'y':
	case 'p':
		return nil, pgerror.New(pgerror.ProtocolViolation,
			"client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data")
	default:
		return nil, malformed("Unexpected channel-binding flag.")
	}
	parts := strings.SplitN(string(msg), ",", 3)
	if len(parts) < 3 {
		return nil, malformed("Comma expected, but found end of message.")
	}
	if parts[1] != "" {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "client uses authorization identity, but it is not supported")
	}
	x.gs2 = base64.StdEncoding.EncodeToString([]byte(parts[0] + ",,"))
	x.firstBare = []byte(parts[2])
	attrs := strings.Split(parts[2], ",")
	if strings.HasPrefix(attrs[0], "m=") {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "client requires an unsupported SCRAM extension")
	}
	if len(attrs) < 2 || !strings.HasPrefix(attrs[0], "n=") || !strings.HasPrefix(attrs[1], "r=") {
		return nil, malformed("Expected attributes \"n\" and \"r\".")
	}
	theirs := attrs[1][2:]
	if theirs == "" || !printable(theirs) {
		return nil, pgerror.New(pgerror.ProtocolViolation, "non-printable characters in SCRAM nonce")
	}
	ours := make([]byte, nonceSize)
	if _, err := rand.Read(ours); err != nil {
		return nil, pgerror.Internal(err)
	}
	x.nonce = theirs + base64.StdEncoding.EncodeToString(ours)
	x.first = []byte("r=" + x.nonce + ",s=" + base64.StdEncoding.EncodeToString(x.verifier.Salt) +
		",i=" + strconv.Itoa(x.verifier.Iterations))
	return x.first, nil
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x21 || s[i] > 0x7E || s[i] == ',' {
			return false
		}
	}
	return true
}

// Final reads client-final-message and gives server-final-message when the proof is right; ok tells so.
func (x *Exchange) Final(msg []byte) (reply []byte, ok bool, err error) {
	i := bytes.LastIndex(msg, []byte(",p="))
	if i < 0 {
		return nil, false, malformed("Expected attribute \"p\".")
	}
	without := msg[:i]
	proof, decodeErr := base64.StdEncoding.DecodeString(string(msg[i+3:]))
	if decodeErr != nil || len(proof) != sha256.Size {
		return nil, false, malformed("Malformed proof in client-final-message.")
	}
	attrs := strings.Split(string(without), ",")
	if len(attrs) < 2 || !strings.HasPrefix(attrs[0], "c=") || !strings.HasPrefix(attrs[1], "r=") {
		return nil, false, malformed("Expected attributes \"c\" and \"r\".")
	}
	if attrs[0][2:] != x.gs2 {
		return nil, false, pgerror.New(pgerror.ProtocolViolation, "unexpected SCRAM channel-binding attribute in client-final-message")
	}
	if attrs[1][2:] != x.nonce {
		return nil, false, pgerror.New(pgerror.ProtocolViolation, "invalid SCRAM response").WithDetail("Nonce does not match.")
	}
	message := bytes.Join([][]byte{x.firstBare, x.first, without}, []byte(","))
	key := mac(x.verifier.StoredKey, message)
	for i := range key {
		key[i] ^= proof[i]
	}
	stored := sha256.Sum256(key)
	if subtle.ConstantTimeCompare(stored[:], x.verifier.StoredKey) != 1 || x.doomed {
		return nil, false, nil
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(x.verifier.ServerKey, message))), true, nil
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}
