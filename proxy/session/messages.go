package session

import (
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/proxy/wire"
)

// simple serves a query message.
func (c *Client) simple(body []byte) {
	c.extended = false
	err := c.query.Decode(body)
	if err == nil {
		err = c.begin(c.query.Text)
		if err == nil {
			c.logStatement(c.query.Text)
			err = c.be.Simple(c.s, c.query.Text, &c.sink)
		}
		d := c.finish()
		c.lease.Statement(d)
		c.logDuration(c.query.Text, d)
	}
	c.open = false
	if err != nil {
		c.fail(err)
	}
	c.ready()
}

// step serves a message of the extended protocol other than Sync and Flush.
func (c *Client) step(kind byte, body []byte) {
	c.extended = true
	err := c.decode(kind, body)
	if err == nil {
		err = c.begin(c.stepText(kind))
		if err == nil {
			c.open = true
			err = c.runStep(kind)
		}
		d := c.finish()
		if kind == wire.KindExecute {
			c.lease.Statement(d)
			c.logDuration(c.query.Text, d)
		}
	}
	if err != nil {
		c.open = true
		c.fail(err)
		c.skip = true
	}
}

func (c *Client) decode(kind byte, body []byte) error {
	switch kind {
	case wire.KindParse:
		return c.parse.Decode(body)
	case wire.KindBind:
		return c.bind.Decode(body)
	case wire.KindDescribe:
		return c.target.Decode(body, "DESCRIBE")
	case wire.KindClose:
		return c.target.Decode(body, "CLOSE")
	}
	return c.exec.Decode(body)
}

// stepText gives the statement that a message is about, empty when there is none or it is nobody's concern.
func (c *Client) stepText(kind byte) string {
	switch kind {
	case wire.KindParse:
		return c.parse.Text
	case wire.KindBind:
		if p := c.s.Statements[c.bind.Statement]; p != nil {
			return p.Text
		}
	case wire.KindExecute:
		if p := c.s.Portals[c.exec.Portal]; p != nil && p.Statement != nil {
			return p.Statement.Text
		}
	}
	return ""
}

func (c *Client) runStep(kind byte) error {
	switch kind {
	case wire.KindParse:
		if err := c.be.Parse(c.s, c.parse.Name, c.parse.Text, c.parse.Params); err != nil {
			return err
		}
		c.notices()
		c.out.ParseComplete()
	case wire.KindBind:
		b := &c.bind
		if err := c.be.Bind(c.s, b.Portal, b.Statement, b.ParamFormats, b.Params, b.ResultFormats); err != nil {
			return err
		}
		c.notices()
		c.out.BindComplete()
	case wire.KindDescribe:
		return c.describe()
	case wire.KindClose:
		return c.closeTarget()
	case wire.KindExecute:
		return c.execute()
	}
	return nil
}

func (c *Client) describe() error {
	if c.target.Kind == 'S' {
		params, cols, err := c.be.DescribeStatement(c.s, c.target.Name)
		if err != nil {
			return err
		}
		c.notices()
		c.out.ParameterDescription(params)
		if cols == nil {
			c.out.NoData()
			return nil
		}
		c.out.RowDescription(cols, nil)
		return nil
	}
	cols, formats, err := c.be.DescribePortal(c.s, c.target.Name)
	if err != nil {
		return err
	}
	c.notices()
	if cols == nil {
		c.out.NoData()
		return nil
	}
	c.out.RowDescription(cols, formats)
	return nil
}

func (c *Client) closeTarget() (err error) {
	if c.target.Kind == 'S' {
		err = c.be.CloseStatement(c.s, c.target.Name)
	} else {
		err = c.be.ClosePortal(c.s, c.target.Name)
	}
	if err == nil {
		c.out.CloseComplete()
	}
	return err
}

func (c *Client) execute() error {
	c.logStatement(c.query.Text)
	suspended, err := c.be.Execute(c.s, c.exec.Portal, int(max(c.exec.MaxRows, 0)), &c.sink)
	if err != nil {
		return err
	}
	if suspended {
		c.notices()
		c.out.PortalSuspended()
	}
	return nil
}

// sync ends a pipeline. The commit of an implicit transaction happens here and may fail.
func (c *Client) sync(body []byte) {
	c.extended = false
	c.skip = false
	err := wire.DecodeEmpty(body)
	if c.open {
		if beginErr := c.begin(""); beginErr != nil {
			err = beginErr
		} else if syncErr := c.be.Sync(c.s); syncErr != nil {
			err = syncErr
		}
		c.finish()
	}
	if err != nil {
		c.fail(err)
	}
	c.open = false
	c.ready()
}

// showActive tells others what the client runs.
func (c *Client) showActive(text string) {
	now, tx := c.began, c.s.Tx.Start
	c.s.Update(func(i *session.Info) {
		i.State, i.Query, i.QueryStart, i.StateChange, i.TxStart = "active", text, now, now, tx
	})
}

// showIdle tells others that the client runs nothing.
func (c *Client) showIdle() {
	state, tx := "idle", c.s.Tx.Start
	switch c.s.Status {
	case session.InTx:
		state = "idle in transaction"
	case session.Failed:
		state = "idle in transaction (aborted)"
	}
	now := c.began
	c.s.Update(func(i *session.Info) { i.State, i.StateChange, i.TxStart = state, now, tx })
}

// rank orders severities as client_min_messages and log_min_messages do.
func rank(s pgerror.Severity) int {
	switch s {
	case pgerror.SeverityDebug:
		return 1
	case pgerror.SeverityLog:
		return 2
	case pgerror.SeverityInfo, pgerror.SeverityNotice:
		return 3
	case pgerror.SeverityWarning:
		return 4
	}
	return 5
}
