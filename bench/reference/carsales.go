package reference

import (
	"github.com/fairlead-go/fairlead/bench/schema/carsales"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	makes  = [...]string{"Toyota", "GM", "Ford", "Honda", "Tesla"}
	models = [...]string{"Camry", "Prius", "Volt", "Accord", "Leaf", "Model S"}
)

// carSales asks for the value of a parking lot of 0 to 199 cars.
type carSales struct{ random }

func (p *carSales) restart() { p.random = seeded() }

func (p *carSales) request(msg *segment.Message) uint64 {
	r := p.next()
	cars := carsales.NewRootParkingLot(msg).NewCars(int(r.w % 200))
	var sum uint64
	for i := range cars.Len() {
		car := cars.At(i)
		r = fillCar(car, r)
		sum += worth(car.Reader())
	}
	p.random = r
	return sum
}

func (p *carSales) respond(request, response *segment.Message) {
	total := carsales.NewRootTotalValue(response)
	cars := carsales.RootParkingLot(request).Cars()
	var sum uint64
	for i := range cars.Len() {
		sum += worth(cars.At(i))
	}
	total.SetAmount(sum)
}

func (p *carSales) accept(response *segment.Message, expected uint64) bool {
	return carsales.RootTotalValue(response).Amount() == expected
}

func (p *carSales) digest(h *hash, response *segment.Message) {
	h.number(carsales.RootTotalValue(response).Amount())
}

func fillCar(car carsales.CarBuilder, r random) random {
	r = r.next()
	car.SetMake(makes[r.w%uint32(len(makes))])
	r = r.next()
	car.SetModel(models[r.w%uint32(len(models))])
	r = r.next()
	car.SetColor(carsales.Color(r.w % uint32(carsales.ColorSilver+1)))
	r = r.next()
	car.SetSeats(uint8(2 + r.w%6))
	r = r.next()
	car.SetDoors(uint8(2 + r.w%3))
	wheels := car.NewWheels(4)
	for i := range wheels.Len() {
		wheel := wheels.At(i)
		r = r.next()
		wheel.SetDiameter(uint16(25 + r.w%15))
		r = r.next()
		wheel.SetAirPressure(float32(30 + r.real(20)))
		r = r.next()
		wheel.SetSnowTires(r.w%16 == 0)
	}
	r = r.next()
	length := 170 + r.w%150
	car.SetLength(uint16(length))
	r = r.next()
	width := 48 + r.w%36
	car.SetWidth(uint16(width))
	r = r.next()
	height := 54 + r.w%48
	car.SetHeight(uint16(height))
	car.SetWeight(length * width * height / 200)
	engine := car.NewEngine()
	r = r.next()
	engine.SetHorsepower(uint16(100 * (r.w % 400)))
	r = r.next()
	engine.SetCylinders(uint8(4 + 2*(r.w%3)))
	r = r.next()
	engine.SetCc(800 + r.w%10000)
	engine.SetUsesGas(true)
	r = r.next()
	engine.SetUsesElectric(r.w%2 != 0)
	r = r.next()
	capacity := float32(10 + r.real(30))
	car.SetFuelCapacity(capacity)
	r = r.next()
	car.SetFuelLevel(float32(r.real(float64(capacity))))
	r = r.next()
	car.SetHasPowerWindows(r.w%2 != 0)
	r = r.next()
	car.SetHasPowerSteering(r.w%2 != 0)
	r = r.next()
	car.SetHasCruiseControl(r.w%2 != 0)
	r = r.next()
	car.SetCupHolders(uint8(r.w % 12))
	r = r.next()
	car.SetHasNavSystem(r.w%2 != 0)
	return r
}

// worth is the value of a car, without a branch on what nothing foretells.
func worth(car carsales.Car) uint64 {
	sum := uint64(car.Seats())*200 + uint64(car.Doors())*350
	wheels := car.Wheels()
	for i := range wheels.Len() {
		wheel := wheels.At(i)
		diameter := uint64(wheel.Diameter())
		sum += diameter*diameter + one(wheel.SnowTires())*100
	}
	sum += uint64(car.Length()) * uint64(car.Width()) * uint64(car.Height()) / 50
	engine := car.Engine()
	sum += uint64(engine.Horsepower())*40 + one(engine.UsesElectric())*(3000+one(engine.UsesGas())*2000)
	sum += one(car.HasPowerWindows()) * 100
	sum += one(car.HasPowerSteering()) * 200
	sum += one(car.HasCruiseControl()) * 400
	sum += one(car.HasNavSystem()) * 2000
	return sum + uint64(car.CupHolders())*25
}

// one is 1 for true and 0 for false.
func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
