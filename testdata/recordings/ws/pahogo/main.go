// Command pahogo is the Eclipse Paho Go client: pahogo URL PAYLOAD-LENGTH.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func main() {
	length, _ := strconv.Atoi(os.Args[2])
	options := mqtt.NewClientOptions().AddBroker(os.Args[1]).SetClientID("paho-go").
		SetAutoReconnect(false).SetConnectTimeout(4 * time.Second)
	client := mqtt.NewClient(options)
	done := make(chan bool, 1)
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		fmt.Println("client paho-go: failed", t.Error())
		return
	}
	fmt.Println("client paho-go: connected")
	client.Subscribe("room/1/light", 1, func(_ mqtt.Client, m mqtt.Message) {
		fmt.Println("client paho-go: got", len(m.Payload()), "bytes on", m.Topic())
		done <- true
	}).Wait()
	client.Publish("room/1/light", 1, false, strings.Repeat("on", length/2)).Wait()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		fmt.Println("client paho-go: message did not come back")
	}
	client.Disconnect(200)
}
