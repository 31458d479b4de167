package report

import (
	"regexp"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// The decoder and the readers word what they find in English. Their words are
// those of the JSON contract, so a Chinese report translates them here.

// problemsInChinese are the ways in which a packet breaks the standard, by id.
// {field} is the part of the packet that is meant, where the problem has one.
var problemsInChinese = map[string]string{
	"header-flags":                      "固定报头的保留标志不是规定的值",
	"broken-length":                     "剩余长度只有一个字节，而报文超过 127 字节",
	"non-minimal-length":                "{field}占用的字节数多于需要",
	"invalid-utf-8":                     "{field}不是合法的 UTF-8",
	"null-character":                    "{field}含有空字符",
	"unknown-protocol-name":             "协议名既不是 MQTT 也不是 MQIsdp",
	"unknown-protocol-level":            "没有哪个 MQTT 版本使用这一协议名与级别的组合",
	"reserved-flag":                     "设置了保留的连接标志",
	"will-qos-3":                        "遗嘱 QoS 为 3",
	"will-qos-without-will":             "未设置遗嘱标志，却设置了遗嘱 QoS",
	"will-retain-without-will":          "未设置遗嘱标志，却设置了遗嘱保留",
	"password-without-username":         "设置了密码标志，却未设置用户名标志",
	"empty-client-id":                   "客户端标识符为空，而清除会话为 0 或版本不允许",
	"long-client-id":                    "客户端标识符超过 23 个字符",
	"trailing-bytes":                    "最后一个字段之后还有字节",
	"auth-data-without-method":          "有认证数据而没有认证方法",
	"short-packet":                      "报文在{field}完整之前就结束",
	"reserved-ack-flags":                "设置了连接确认标志的保留位",
	"session-present-with-error":        "连接被拒绝，却设置了会话存在标志",
	"session-present-after-clean-start": "客户端要求清除会话，却设置了会话存在标志",
	"reserved-code":                     "标准没有为 CONNACK 定义该代码",
	"no-assigned-client-id":             "客户端没有给出标识符，也未被告知所分配的标识符",
	"connack-length":                    "长度与客户端的版本不符",
	"property-length":                   "{field}的长度超出报文或属性长度，或不是有效的数字",
	"property-not-allowed":              "{field}未定义，或不允许出现在这里",
	"property-value":                    "{field}的值不被允许",
	"duplicate-property":                "{field}出现了不止一次",
}

// fieldsInChinese are the parts of a packet that the decoder's texts name. Where
// one's name begins another's, the longer is first.
var fieldsInChinese = []struct{ en, zh string }{
	{"the remaining length", "剩余长度"},
	{"the property length", "属性长度"},
	{"a property identifier", "某个属性标识符"},
	{"the protocol name", "协议名"},
	{"the will topic", "遗嘱主题"},
	{"the user name", "用户名"},
	{"the client identifier", "客户端标识符"},
	{"connect flags and keep alive", "连接标志和保活时间"},
	{"its client identifier", "客户端标识符"},
	{"its will", "遗嘱"},
	{"its user name", "用户名"},
	{"its password", "密码"},
	{"the payload format indicator", "载荷格式指示"},
	{"the message expiry interval", "消息过期间隔"},
	{"the content type", "内容类型"},
	{"the response topic", "响应主题"},
	{"the correlation data", "关联数据"},
	{"the subscription identifier", "订阅标识符"},
	{"the session expiry interval", "会话过期间隔"},
	{"the assigned client identifier", "分配的客户端标识符"},
	{"the server keep alive", "服务器保活时间"},
	{"the authentication method", "认证方法"},
	{"the authentication data", "认证数据"},
	{"request problem information", "请求问题信息"},
	{"the will delay interval", "遗嘱延迟间隔"},
	{"request response information", "请求响应信息"},
	{"the response information", "响应信息"},
	{"the server reference", "服务器引用"},
	{"the reason string", "原因字符串"},
	{"the receive maximum", "接收最大值"},
	{"the topic alias maximum", "主题别名最大值"},
	{"the topic alias", "主题别名"},
	{"the maximum QoS", "最大 QoS"},
	{"retain available", "保留可用"},
	{"a user property", "某个用户属性"},
	{"the maximum packet size", "最大报文长度"},
	{"wildcard subscription available", "通配符订阅可用"},
	{"subscription identifier available", "订阅标识符可用"},
	{"shared subscription available", "共享订阅可用"},
}

// problemInChinese words a problem by its id. text is the decoder's own, in which
// the field is looked up.
func problemInChinese(id, text string) string {
	template, ok := problemsInChinese[id]
	if !ok {
		return id
	}
	field := "报文"
	for _, f := range fieldsInChinese {
		if strings.Contains(text, f.en) {
			field = f.zh
			break
		}
	}
	return strings.ReplaceAll(template, "{field}", field)
}

// readerProblem turns one kind of the readers' sentences into Chinese; $1 and so
// on are its numbers.
type readerProblem struct {
	pattern *regexp.Regexp
	zh      string
}

var readerProblems = func() []readerProblem {
	var all []readerProblem
	for _, p := range [][2]string{
		{`cut short in packet (\d+)`, "在数据包 $1 处被截断"},
		{`damaged before packet (\d+): (.*) \(byte (\d+)\)`, "在数据包 $1 之前损坏：“$2”（字节 $3）"},
		{`packet (\d+) left out: its block has (?:only )?(\d+) bytes`, "略去数据包 $1：其块只有 $2 字节"},
		{`packet (\d+) left out: it claims (\d+) bytes in a block of (\d+)`, "略去数据包 $1：声称 $2 字节，而块只有 $3 字节"},
		{`packet (\d+) left out: interface (\d+) is not described`, "略去数据包 $1：没有接口 $2 的描述"},
		{`packet (\d+): its time is not between the years 1970 and 2262`, "数据包 $1 的时间不在 1970 至 2262 年之间"},
		{`interface (\d+) is not usable: its block has (?:only )?(\d+) bytes`, "接口 $1 不可用：其块只有 $2 字节"},
		{`interface (\d+) has a broken option`, "接口 $1 的选项损坏"},
		{`interfaces beyond the first (\d+) of a section left out`, "略去一节中前 $1 个之后的接口"},
		{`broken name resolution block`, "名称解析块损坏"},
		{`name resolution block of (\d+) bytes left out`, "略去 $1 字节的名称解析块"},
		{`names beyond the first (\d+) left out`, "略去前 $1 个之后的名称"},
		{`TLS secrets left out: (\d+) bytes claimed in a block of (\d+)`, "略去 TLS 密钥：声称 $1 字节，而块只有 $2 字节"},
		{`TLS secrets beyond (\d+) bytes or (\d+) blocks left out`, "略去超过 $1 字节或 $2 块的 TLS 密钥"},
		{regexp.QuoteMeta(notOver), "保存的记录中没有实时抓包的结尾"},
		{`(pcap|pcapng) version (\d+\.\d+) is not known; read as (\d+\.\d+)`, "未知的 $1 版本 $2，按 $3 读取"},
	} {
		all = append(all, readerProblem{regexp.MustCompile(`^` + p[0] + `( \(and (\d+) more\))?$`), p[1]})
	}
	return all
}()

// captureProblemIn words a problem of a capture in the report's language. What the
// readers did not word, such as the error of a disk, is quoted.
func captureProblemIn(text string, lang kb.Lang) string {
	if lang != kb.Chinese {
		return text
	}
	for _, p := range readerProblems {
		m := p.pattern.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		out := p.pattern.ExpandString(nil, p.zh, text, m)
		if last := len(m) - 2; m[last] >= 0 {
			out = append(out, "（另有 "+text[m[last]:m[last+1]]+" 处）"...)
		}
		return string(out)
	}
	return "“" + text + "”"
}
