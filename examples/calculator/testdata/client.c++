// A client of the calculator on libcapnp-rpc, which does what generated() in
// main.go does and prints the same.
//
//   client unix:PATH

#include <capnp/ez-rpc.h>
#include <cmath>
#include <iostream>

#include "calculator.capnp.h"

class Power final : public Calculator::Function::Server {
public:
  kj::Promise<void> call(CallContext context) override {
    auto p = context.getParams().getParams();
    KJ_REQUIRE(p.size() == 2, "pow takes 2 parameters");
    context.getResults().setValue(std::pow(p[0], p[1]));
    return kj::READY_NOW;
  }
};

using Expression = Calculator::Expression::Builder;

static capnp::List<Calculator::Expression>::Builder newCall(Expression e, Calculator::Function::Client fn) {
  auto call = e.initCall();
  call.setFunction(kj::mv(fn));
  return call.initParams(2);
}

int main(int, char **argv) {
  capnp::EzRpcClient rpc(argv[1]);
  auto &scope = rpc.getWaitScope();
  auto calc = rpc.getMain<Calculator>();
  auto read = [&](Calculator::Value::Client v) { return v.readRequest().send().wait(scope).getValue(); };
  auto operatorOf = [&](Calculator::Operator op) {
    auto r = calc.getOperatorRequest();
    r.setOp(op);
    return r.send().getFunc();
  };

  auto literal = calc.evaluateRequest();
  literal.getExpression().setLiteral(123);
  std::cout << "123 = " << read(literal.send().getValue()) << "\n";

  auto add = operatorOf(Calculator::Operator::ADD), subtract = operatorOf(Calculator::Operator::SUBTRACT);
  auto sum = calc.evaluateRequest();
  auto outer = newCall(sum.getExpression(), subtract);
  auto inner = newCall(outer[0], add);
  inner[0].setLiteral(123);
  inner[1].setLiteral(45);
  outer[1].setLiteral(67);
  auto result = sum.send();
  std::cout << "123 + 45 - 67 = " << read(result.getValue()) << "\n";

  auto def = calc.defFunctionRequest();
  def.setParamCount(2);
  outer = newCall(def.getBody(), add);
  inner = newCall(outer[0], add);
  inner[0].setParameter(0);
  inner[1].setParameter(1);
  outer[1].setPreviousResult(result.getValue());
  auto f = def.send().getFunc().callRequest();
  f.setParams({1, 2});
  std::cout << "f(1, 2) = " << f.send().wait(scope).getValue() << "\n";

  auto callback = calc.evaluateRequest();
  auto args = newCall(callback.getExpression(), kj::heap<Power>());
  args[0].setLiteral(2);
  args[1].setLiteral(10);
  std::cout << "pow(2, 10) = " << read(callback.send().getValue()) << "\n";
  return 0;
}
