package screen

// wordmarkRows is the height of the wordmark in lines.
const wordmarkRows = 3

// wordmark holds the product's name in a 6-row pixel font; two rows of pixels
// share one line of the screen as half blocks.
func wordmark() [6]string {
	return [6]string{
		" #####  ##     ## ######  ##   ##   ####   ##  ##",
		"##      ##     ## ##   ## ##   ##  ##  ##  ##  ##",
		" ####   ##     ## ######  ## # ##  ##  ##   #### ",
		"    ##  ##     ## ##      #######  ######    ##  ",
		"    ##  ##     ## ##      ### ###  ##  ##    ##  ",
		"#####   ###### ## ##      ##   ##  ##  ##    ##  ",
	}
}

func drawWordmark(c *Canvas, y int) {
	art := wordmark()
	x := (c.W - len(art[0])) / 2
	for row := range wordmarkRows {
		top, bottom := art[2*row], art[2*row+1]
		for i := range len(top) {
			switch {
			case top[i] == '#' && bottom[i] == '#':
				c.Put(x+i, y+row, '█', Accent)
			case top[i] == '#':
				c.Put(x+i, y+row, '▀', Accent)
			case bottom[i] == '#':
				c.Put(x+i, y+row, '▄', Accent)
			}
		}
	}
}
